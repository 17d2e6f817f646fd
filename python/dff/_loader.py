"""Loads the scripts of a worker: executes each once, collects and checks the decorated functions, describes them.

`load(artifact)` takes the parsed artifact and returns (report, functions): the report of Ready or LoadFailed, and for the worker
one tuple per function. Imports between scripts go through `import_script`, which stands as `__import__` in the built-ins that all
scripts share, so that `import __prices` means the set of the script that says it.
"""

import ast
import builtins
import inspect
import linecache
import sys
import traceback
import types
import typing

import _dff
from dff import _annotations, _convert
from dff._api import Problem, registry
from dff._members import DFF, KNOWN_MEMBERS, NOT_PROVIDED, CALL_VARIABLES

REQUIRED = object()
PLAIN_DEFAULTS = (str, int, float, bool, type(None))


class ScriptNotLoaded(ImportError):
    """The imported script has errors of its own; they are reported there."""


class Loader:
    def __init__(self, artifact, namespace):
        self.sources = {script['id']: script for script in artifact['scripts']}
        self.sets = {found['id']: found for found in artifact.get('sets', ())}
        self.namespace = namespace
        self.modules = {}
        self.failed = set()
        self.errors = []
        self.warnings = []
        self.names_read = set()

    def error(self, script, line, function, text):
        self.errors.append(Problem(script, line, function, text))

    def warning(self, script, line, function, text):
        self.warnings.append(Problem(script, line, function, text))

    def import_script(self, name, globals=None, locals=None, fromlist=(), level=0):
        importer = (globals or {}).get('__name__', '')
        full = name
        if level == 0 and name.startswith('__') and importer in self.sources:
            full = importer.partition('__')[0] + name
        if level != 0 or full not in self.sources:
            if full != name:
                raise ModuleNotFoundError(f'No published script is named {full}', name=name)
            if level == 0 and '__' in full[1:] and full.partition('__')[0] in self.sets:
                raise ModuleNotFoundError(f'No published script is named {full}', name=name)
            return builtins.__import__(name, globals, locals, fromlist, level)
        module = self.execute(full)
        for attribute in fromlist or ():
            if attribute != '*' and not hasattr(module, attribute):
                raise ImportError(f'cannot import name {attribute!r} from {full!r}', name=full)
        return module

    def execute(self, script):
        if script in self.modules:
            return self.modules[script]
        if script in self.failed:
            raise ScriptNotLoaded(f'script {script} has errors', name=script)
        source = self.sources[script]['source']
        linecache.cache[script] = (len(source), None, source.splitlines(True), script)
        module = types.ModuleType(script)
        module.__dict__.update(__builtins__=self.namespace, __file__=script)
        try:
            tree = ast.parse(source, script)
            code = compile(tree, script, 'exec', dont_inherit=True)
            self.scan(script, tree)
            self.collect_names(code)
            self.modules[script] = sys.modules[script] = module
            exec(code, module.__dict__)
        except BaseException as error:
            self.modules.pop(script, None)
            sys.modules.pop(script, None)
            self.failed.add(script)
            self.report_failure(script, error)
            raise ScriptNotLoaded(f'script {script} has errors', name=script) from None
        return module

    def report_failure(self, script, error):
        if isinstance(error, ScriptNotLoaded):
            return self.error(script, self.line_in(script, error), '', f'imports a script with errors: {error.name}')
        if isinstance(error, SyntaxError) and error.filename == script:
            return self.error(script, error.lineno or 0, '', f'{type(error).__name__}: {error.msg}')
        try:
            text = ''.join(traceback.format_exception_only(type(error), error)).strip()
        except BaseException:
            text = type(error).__name__
        self.error(script, self.line_in(script, error), '', text[:1000])

    @staticmethod
    def line_in(script, error):
        line = 0
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == script:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def collect_names(self, code):
        """Every global name that any code of the scripts may read: the worker sets only these variables for a call."""
        self.names_read.update(code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.collect_names(constant)
            elif isinstance(constant, str) and '_DFF_' in constant:
                # A name inside a text may reach eval(), exec() or globals().
                self.names_read.add('eval')

    def scan(self, script, tree):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == 'DFF':
                if node.attr in NOT_PROVIDED:
                    self.warning(script, node.lineno, '', f'DFF.{node.attr} is not provided by this product; using it raises '
                                                          'DFFNotSupported')
                elif node.attr not in KNOWN_MEMBERS:
                    self.warning(script, node.lineno, '', f'DFF.{node.attr} is unknown')
        self.scan_module_level(script, tree)

    def scan_module_level(self, script, node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                # The body runs later; decorators and defaults run now.
                arguments = child.args
                for part in (*getattr(child, 'decorator_list', ()), *arguments.defaults, *arguments.kw_defaults):
                    if part is not None:
                        self.scan_module_level(script, ast.Expression(part))
                continue
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load) and child.id in CALL_VARIABLES:
                self.warning(script, child.lineno, '', f'module-level code reads {child.id}, which has a value only '
                                                        'during a call')
            self.scan_module_level(script, child)

    def describe(self, script, name, registration):
        function, options = registration.function, registration.options
        line = function.__code__.co_firstlineno
        if self.modules[script].__dict__.get(name) is not function:
            self.error(script, line, name, f'the name {name} is bound to something else after the module ran: @DFF.API must be '
                                           'the outermost decorator, and the name must not be assigned again')
            return None
        try:
            signature = inspect.signature(function)
        except (ValueError, TypeError) as error:
            self.error(script, line, name, f'the signature cannot be read: {error}')
            return None
        hints = self.hints_of(script, line, name, function)
        rows, schema, extra = self.parameters(script, line, name, signature, hints)
        report = {
            'id': f'{script}.{name}', 'name': name, 'title': options['title'], 'description': inspect.getdoc(function) or '',
            'category': options['category'], 'tags': options['tags'],
            'timeout': options['timeout'], 'expires': options['expires'],
            'cacheResult': options['cache_result'], 'cacheVary': options['cache_vary'], 'queue': options['queue'],
            'isolation': options['isolation'], 'isHidden': options['is_hidden'], 'isAsync': inspect.iscoroutinefunction(function),
            'line': line, 'parameters': [{'name': row[0], 'required': row[2]} for row in rows if not row[7]],
            'extraArguments': extra, 'schema': schema, 'resultSchema': self.result_schema(script, line, name, hints),
        }
        plain = signature.parameters and all(
            parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for parameter in signature.parameters.values())
        found = self.sets.get(script.partition('__')[0], {})
        row = (report['id'], name, options['title'], function, report['isAsync'], bool(plain or not signature.parameters), extra,
               rows, script, self.sources[script].get('title') or '', self.sources[script].get('version'),
               script.partition('__')[0], found.get('title') or '')
        return report, row

    def hints_of(self, script, line, name, function):
        try:
            return typing.get_type_hints(function, include_extras=True)
        except Exception as error:
            self.warning(script, line, name, f'the annotations cannot be evaluated ({type(error).__name__}): arguments pass as '
                                             'they come')
            return {}

    def parameters(self, script, line, name, signature, hints):
        rows, properties, required, extra = [], {}, [], False
        for parameter in signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                extra = True
                continue
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                continue
            only_positional = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
            needed = parameter.default is inspect.Parameter.empty
            if only_positional and needed:
                self.error(script, line, name, f'parameter {parameter.name} is positional-only without a default: nobody can '
                                               'supply it')
            converter = self.converter(script, line, name, parameter.name, hints.get(parameter.name, parameter.empty))
            default = REQUIRED if needed else parameter.default
            rows.append((sys.intern(parameter.name), converter.kind, needed, default, converter, converter.nullable,
                         converter.expected, only_positional))
            if only_positional:
                continue
            properties[parameter.name] = schema = dict(converter.schema())
            if needed:
                required.append(parameter.name)
            elif isinstance(parameter.default, PLAIN_DEFAULTS) and _dff.to_json(parameter.default) is not None:
                schema['default'] = parameter.default
        schema = {'$schema': 'https://json-schema.org/draft/2020-12/schema', 'type': 'object', 'properties': properties}
        if required:
            schema['required'] = required
        schema['additionalProperties'] = extra
        return rows, schema, extra

    def converter(self, script, line, name, parameter, annotation):
        try:
            return _annotations.converter_of(annotation)
        except _annotations.NoSchema:
            pass
        except Exception as error:
            self.warning(script, line, name, f'the annotation of {parameter} cannot be read ({type(error).__name__})')
            return _convert.AnyConverter()
        self.warning(script, line, name, f'the annotation of {parameter} has no schema: values pass as they come')
        return _convert.AnyConverter()

    def result_schema(self, script, line, name, hints):
        if 'return' not in hints:
            return {}
        try:
            return _annotations.converter_of(hints['return']).schema()
        except Exception:
            self.warning(script, line, name, 'the return annotation has no schema')
            return {}


def load(artifact, namespace):
    """namespace: the dict that becomes the built-ins of all scripts. Returns (ok, report, rows, names_read)."""
    loader = Loader(artifact, namespace)
    namespace['__import__'] = loader.import_script
    namespace['DFF'] = DFF
    registry.open = True
    for script in sorted(loader.sources):
        try:
            loader.execute(script)
        except ScriptNotLoaded:
            pass
    registry.open = False
    reports, rows = [], []
    loader.errors.extend(registry.errors)
    loader.warnings.extend(registry.warnings)
    for script in sorted(loader.modules):
        for name, registration in registry.registrations.get(script, {}).items():
            described = loader.describe(script, name, registration)
            if described is not None:
                reports.append(described[0])
                rows.append(described[1])
    if any(report['isAsync'] for report in reports):
        import asyncio  # now, so that the first call does not pay for it
    if loader.errors:
        return False, {'errors': [problem.as_dict() for problem in loader.errors],
                       'warnings': [problem.as_dict() for problem in loader.warnings]}, [], set()
    return True, {'functions': reports, 'warnings': [problem.as_dict() for problem in loader.warnings]}, rows, loader.names_read
