"""The DFF object: what scripts find under the plain name `DFF`."""

import os

import _dff
from dff import _response
from dff._api import registry

NOT_PROVIDED = frozenset(('CONN', 'SRC', 'SQL', 'CONFIG', 'SYS_DB', 'SYS_CACHE_DB', 'CRON_JOB', 'BLUEPRINT', 'THREAD', 'TASK',
                          'SIGN', 'EVAL', 'EXEC'))
ENV, CACHE, STORE, FUNC = 1, 2, 3, 4
KEY_BYTES_MAX, VALUE_BYTES_MAX = 256, 1 << 20
EXPIRE_MAX = 30 * 86400
NAME_BYTES_MAX, ATTRIBUTES_BYTES_MAX = 256, 4096

# Every per-call variable, with the value it has outside of a call.
CALL_VARIABLES = {
    '_DFF_IMAGE_INFO': {}, '_DFF_TRACE_ID': '', '_DFF_TASK_ID': '', '_DFF_ROOT_TASK_ID': '',
    '_DFF_SCRIPT_SET_ID': '', '_DFF_SCRIPT_SET_NAME': '', '_DFF_SCRIPT_SET_TITLE': '',
    '_DFF_SCRIPT_ID': '', '_DFF_SCRIPT_NAME': '', '_DFF_SCRIPT_TITLE': '', '_DFF_SCRIPT_VERSION': None,
    '_DFF_FUNC_ID': '', '_DFF_FUNC_NAME': '', '_DFF_FUNC_TITLE': '',
    '_DFF_FUNC_CHAIN': [], '_DFF_FUNC_CALL_KWARGS': {}, '_DFF_ORIGIN': '', '_DFF_ORIGIN_ID': '',
    '_DFF_TRIGGER_TIME': None, '_DFF_TRIGGER_TIME_MS': None, '_DFF_START_TIME': None, '_DFF_START_TIME_MS': None,
    '_DFF_QUEUE': None, '_DFF_ETA': None, '_DFF_DELAY': None, '_DFF_DEBUG': False,
    '_DFF_CRON_EXPR': None, '_DFF_CRON_JOB_DELAY': None, '_DFF_CRON_JOB_EXEC_MODE': None,
    '_DFF_CRONTAB': None, '_DFF_CRONTAB_DELAY': None, '_DFF_CRONTAB_EXEC_MODE': None,
    '_DFF_HTTP_REQUEST': {}, '_DFF_CALLER': {},
}


class DFFNotSupported(Exception):
    """A member of DFF that this product does not provide, or not here."""


def ask(kind, request):
    """The server's answer to one question of the running call; RuntimeError with its text if it refuses."""
    text = _dff.to_json(request)
    if text is None:
        raise TypeError('the value cannot be written as JSON')
    return _dff.parse_json(_dff.ask(kind, text))


def checked_key(key):
    if not isinstance(key, str) or not 1 <= len(key.encode('utf-8', 'replace')) <= KEY_BYTES_MAX:
        raise ValueError(f'the key must be a str of 1 to {KEY_BYTES_MAX} bytes')
    return key


def checked_value(value):
    text = _dff.to_json(value)
    if text is None:
        raise TypeError('the value cannot be written as JSON')
    if len(text.encode()) > VALUE_BYTES_MAX:
        raise ValueError(f'the value must be at most {VALUE_BYTES_MAX} bytes as JSON')
    return value


def checked_expire(expire):
    if expire is not None and (isinstance(expire, bool) or not isinstance(expire, (int, float)) or not 1 <= expire <= EXPIRE_MAX):
        raise ValueError(f'expire must be 1 to {EXPIRE_MAX} seconds')
    return expire


def checked_integer(name, value):
    if type(value) is not int:
        raise TypeError(f'{name} must be an int')
    return value


class Scoped:
    """Operations on one kind of store; `scope` defaults to the id of the calling script."""

    def __init__(self, kind):
        self._kind = kind

    def _run(self, operation, scope, key, **more):
        if scope is None:
            scope = _dff.script_id()
        if not isinstance(scope, str) or not 1 <= len(scope.encode('utf-8', 'replace')) <= KEY_BYTES_MAX:
            raise ValueError(f'scope must be a str of 1 to {KEY_BYTES_MAX} bytes')
        return ask(self._kind, {'op': operation, 'scope': scope, 'key': key, **more})

    def get(self, key, scope=None):
        return self._run('get', scope, checked_key(key))

    def set(self, key, value, expire=None, scope=None):
        return self._run('set', scope, checked_key(key), value=checked_value(value), expire=checked_expire(expire))

    def delete(self, key, scope=None):
        return self._run('delete', scope, checked_key(key))


class Cache(Scoped):
    def getset(self, key, value, expire=None, scope=None):
        return self._run('getset', scope, checked_key(key), value=checked_value(value), expire=checked_expire(expire))

    def expire(self, key, expire, scope=None):
        return self._run('expire', scope, checked_key(key), expire=checked_expire(expire))

    def incr(self, key, step=1, scope=None):
        return self._run('incr', scope, checked_key(key), step=checked_integer('step', step))

    def hget(self, key, field=None, scope=None):
        if field is None:
            return self.hgetall(key, scope)
        return self._run('hget', scope, checked_key(key), field=checked_key(field))

    def hset(self, key, field, value, scope=None):
        return self._run('hset', scope, checked_key(key), field=checked_key(field), value=checked_value(value))

    def hdel(self, key, field, scope=None):
        return self._run('hdel', scope, checked_key(key), field=checked_key(field))

    def hgetall(self, key, scope=None):
        return self._run('hgetall', scope, checked_key(key))

    def hincr(self, key, field, step=1, scope=None):
        return self._run('hincr', scope, checked_key(key), field=checked_key(field), step=checked_integer('step', step))

    def lpush(self, key, value, scope=None):
        return self._run('lpush', scope, checked_key(key), value=checked_value(value))

    def rpush(self, key, value, scope=None):
        return self._run('rpush', scope, checked_key(key), value=checked_value(value))

    def lpop(self, key, scope=None):
        return self._run('lpop', scope, checked_key(key))

    def rpop(self, key, scope=None):
        return self._run('rpop', scope, checked_key(key))

    def llen(self, key, scope=None):
        return self._run('llen', scope, checked_key(key))

    def lrange(self, key, start=0, stop=-1, scope=None):
        return self._run('lrange', scope, checked_key(key), start=checked_integer('start', start),
                         stop=checked_integer('stop', stop))

    def ltrim(self, key, start, stop, scope=None):
        return self._run('ltrim', scope, checked_key(key), start=checked_integer('start', start),
                         stop=checked_integer('stop', stop))


class Store(Scoped):
    def keys(self, prefix='', scope=None):
        if not isinstance(prefix, str):
            raise TypeError('prefix must be a str')
        return self._run('keys', scope, prefix)


class Members:
    """One object for all scripts of a worker; what belongs to a call is fetched from the running call."""

    CACHE = Cache(CACHE)
    STORE = Store(STORE)

    def API(self, title=None, /, **options):
        """The decorator that makes a function reachable; the options are listed in the manual."""
        if callable(title):
            raise TypeError("@DFF.API needs parentheses: @DFF.API('Title')")
        if 'title' in options:
            if title is not None:
                raise TypeError('title is given twice')
            title = options.pop('title')
        return lambda function: registry.decorate(function, title, options)

    @property
    def CTX(self):
        """dict of this call, shared by all scripts of it."""
        return _dff.context()

    def ENV(self, id, default=None):
        """Value of an environment variable with its type; `default` if it is unknown or not allowed for this script set."""
        if not isinstance(id, str):
            raise TypeError('the id must be a str')
        answer = ask(ENV, {'id': id})
        return answer['value'] if answer.get('found') else default

    def FUNC(self, func_id, kwargs=None, queue=None):
        """Starts a decorated function as a new task and returns the task's id."""
        if _dff.is_authentication():
            raise DFFNotSupported('DFF.FUNC does not work in an authentication function')
        if not isinstance(func_id, str):
            raise TypeError('func_id must be a str')
        if kwargs is not None and not isinstance(kwargs, dict):
            raise TypeError('kwargs must be a dict')
        if queue is not None and (type(queue) is not int or not 1 <= queue <= 15):
            raise ValueError('queue must be an int from 1 to 15')
        if '.' not in func_id:
            func_id = f'{_dff.script_id()}.{func_id}'
        elif func_id.startswith('__'):
            func_id = _dff.script_id().partition('__')[0] + func_id
        return ask(FUNC, {'funcId': func_id, 'kwargs': kwargs or {}, 'queue': queue})['id']

    def RSRC(self, path=''):
        """Absolute path inside the read-only resources of the script set."""
        folder = _dff.resource_folder()
        if not folder:
            raise DFFNotSupported('this script set has no resources')
        full = os.path.realpath(os.path.join(folder, path))
        root = os.path.realpath(folder)
        if full != root and not full.startswith(root + os.sep):
            raise PermissionError('the path leaves the resources of the script set')
        return full

    def DEADLINE(self):
        """Seconds left until the call is ended by force."""
        return _dff.seconds_left()

    def SET_CALLER(self, name, attributes=None):
        """Authentication functions only: who the caller is, if True is returned."""
        if not _dff.is_authentication():
            raise DFFNotSupported('DFF.SET_CALLER works only in an authentication function')
        if not isinstance(name, str) or not 1 <= len(name.encode('utf-8', 'replace')) <= NAME_BYTES_MAX:
            raise ValueError(f'the name must be a str of 1 to {NAME_BYTES_MAX} bytes')
        if attributes is not None and not isinstance(attributes, dict):
            raise TypeError('attributes must be a dict')
        text = _dff.to_json(attributes or {})
        if text is None:
            raise TypeError('attributes cannot be written as JSON')
        if len(text.encode()) > ATTRIBUTES_BYTES_MAX:
            raise ValueError(f'attributes must be at most {ATTRIBUTES_BYTES_MAX} bytes as JSON')
        _dff.set_caller(name, text)

    RESP = staticmethod(_response.make_response)
    RESP_FILE = staticmethod(_response.file_response)
    RESP_LARGE_DATA = staticmethod(_response.large_response)
    REDIRECT = staticmethod(_response.redirect)
    LOG = staticmethod(print)
    DFFNotSupported = DFFNotSupported

    def __getattr__(self, name):
        if name in NOT_PROVIDED:
            raise DFFNotSupported(f'DFF.{name} is not provided by this product')
        raise AttributeError(f'DFF has no member {name}')

    def __setattr__(self, name, value):
        raise AttributeError('DFF cannot be changed')


KNOWN_MEMBERS = frozenset(name for name in vars(Members) if not name.startswith('_'))
DFF = Members()
