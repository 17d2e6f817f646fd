"""The decorator `@DFF.API(title, …)`: checks every option and remembers the function until the loader collects it."""

import inspect

DEFAULT_QUEUES = range(1, 16)
INEFFECTIVE = ('fixed_cron_expr', 'fixed_crontab', 'delayed_cron_job', 'delayed_crontab', 'integration', 'integration_config')


class Problem:
    """Something about a script: `function` is the Python name or ''."""

    def __init__(self, script, line, function, text):
        self.script, self.line, self.function, self.text = script, line, function, text

    def as_dict(self):
        return {'script': self.script, 'line': self.line, 'function': self.function, 'problem': self.text}


class Registration:
    """A decorated function with its checked options."""

    def __init__(self, function, options):
        self.function, self.options = function, options


def shown(value):
    try:
        text = repr(value)
    except Exception:
        text = f'<{type(value).__name__}>'
    return text if len(text) <= 100 else text[:97] + '...'


class OptionError(ValueError):
    pass


def wrong(option, value, allowed):
    raise OptionError(f'option {option}={shown(value)}: must be {allowed}')


def text(option, value, length_max):
    if type(value) is not str or not 1 <= len(value) <= length_max:
        wrong(option, value, f'a str of 1 to {length_max} characters')
    return value


def integer(option, value, low, high):
    if type(value) is not int or not low <= value <= high:
        wrong(option, value, f'an int from {low} to {high}')
    return value


def boolean(option, value):
    if type(value) is not bool:
        wrong(option, value, 'True or False')
    return value


def tags(option, value):
    allowed = 'a list of at most 20 str of 1 to 64 characters each'
    if type(value) not in (list, tuple) or len(value) > 20:
        wrong(option, value, allowed)
    for tag in value:
        if type(tag) is not str or not 1 <= len(tag) <= 64:
            wrong(option, value, allowed)
    return sorted(set(value))


def cache_seconds(option, value):
    if value is None:
        return 0
    if type(value) not in (int, float) or not 0 <= value <= 86400:
        wrong(option, value, 'a number from 0 to 86400 (seconds)')
    return value


def vary(option, value):
    allowed = "a list of 'caller', 'method', 'url', 'query', 'body', 'ip' and 'header:<name>'"
    if type(value) not in (list, tuple) or len(value) > 32:
        wrong(option, value, allowed)
    parts = []
    for part in value:
        if type(part) is not str:
            wrong(option, value, allowed)
        name = part[7:].lower() if part.startswith('header:') else ''
        header = name != '' and all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name)
        if not header and part not in ('caller', 'method', 'url', 'query', 'body', 'ip'):
            wrong(option, value, allowed)
        part = 'header:' + name if header else part
        if part not in parts:
            parts.append(part)
    return parts


def isolation(option, value):
    if value not in ('worker', 'call') or type(value) is not str:
        wrong(option, value, "'worker' or 'call'")
    return value


CHECKS = {
    'category': lambda option, value: text(option, value, 64),
    'tags': tags,
    'timeout': lambda option, value: integer(option, value, 1, 3600),
    'api_timeout': lambda option, value: integer(option, value, 1, 3600),
    'expires': lambda option, value: integer(option, value, 1, 86400),
    'cache_result': cache_seconds,
    'cache_vary': vary,
    'queue': lambda option, value: integer(option, value, 1, 15),
    'isolation': isolation,
    'is_hidden': boolean,
}


class Registry:
    """What the scripts of this worker declare while they are loaded. Closed afterwards: a function that appears during a call was
    never checked and is never reachable."""

    def __init__(self):
        self.open = False
        self.registrations = {}
        self.errors = []
        self.warnings = []

    def decorate(self, function, title, options):
        if not self.open:
            raise RuntimeError('@DFF.API can be used only while a script is loaded')
        script = getattr(function, '__module__', '') or ''
        name = getattr(function, '__name__', '') or ''
        code = getattr(function, '__code__', None)
        line = code.co_firstlineno if code is not None else 0
        if not inspect.isfunction(function):
            self.errors.append(Problem(script, line, name, '@DFF.API can decorate only a function made by def or async def'))
            return function
        if function.__qualname__ != name:
            self.errors.append(Problem(script, line, name, '@DFF.API can decorate only a function at module level'))
            return function
        if name in self.registrations.setdefault(script, {}):
            self.errors.append(Problem(script, line, name, f'two functions are named {name}'))
            return function
        checked = self.check(script, line, name, title, options)
        self.registrations[script][name] = Registration(function, checked)
        return function

    def check(self, script, line, name, title, options):
        checked = {'title': name, 'category': 'general', 'tags': [], 'timeout': None, 'expires': None, 'cache_result': 0,
                   'cache_vary': ['caller'], 'queue': None, 'isolation': 'worker', 'is_hidden': False}

        def attempt(option, check):
            try:
                checked[option] = check()
            except OptionError as error:
                self.errors.append(Problem(script, line, name, str(error)))

        if title is not None:
            attempt('title', lambda: text('title', title, 200))
        for option, value in options.items():
            if option in CHECKS:
                attempt(option, lambda: CHECKS[option](option, value))
            elif option in INEFFECTIVE:
                self.warnings.append(Problem(script, line, name, f'option {option} has no effect here'))
            else:
                known = ', '.join(('title', *CHECKS))
                self.errors.append(Problem(script, line, name, f'unknown option {option}={shown(value)}: allowed are {known}'))
        self.check_together(script, line, name, options, checked)
        return checked

    def check_together(self, script, line, name, options, checked):
        old = checked.pop('api_timeout', None)
        if old is not None:
            self.warnings.append(Problem(script, line, name, 'option api_timeout is the old name of timeout'))
            if checked['timeout'] not in (None, old):
                self.errors.append(Problem(script, line, name, f'options timeout={checked["timeout"]} and api_timeout={old} '
                                                               'differ: give one of them'))
            checked['timeout'] = old
        if 'cache_vary' in options and not checked['cache_result']:
            self.errors.append(Problem(script, line, name, f'option cache_vary={shown(options["cache_vary"])}: needs '
                                                           'cache_result above 0'))


registry = Registry()
