"""Answers made by the function itself: DFF.RESP, DFF.RESP_FILE, DFF.RESP_LARGE_DATA, DFF.REDIRECT.

A Response only holds checked values; the worker turns it into the reply. What cannot become an answer raises InvalidResponse,
which is reported as an invalid result and not as a failure of the function.
"""

import mimetypes
import os
import re
import urllib.parse

import _dff

MEDIA_TYPES = {'json': 'application/json', 'text': 'text/plain; charset=utf-8', 'html': 'text/html; charset=utf-8'}
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+*-]+(\s*;.*)?\Z")
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
FORBIDDEN = frozenset(('content-length', 'transfer-encoding', 'connection', 'date', 'server', 'www-authenticate',
                       'authentication-info', 'x-trace-id', 'keep-alive', 'upgrade', 'trailer'))
CONSOLE_COOKIE = 'funcgate'


class InvalidResponse(Exception):
    """The function asked for an answer that cannot be sent (500.11)."""


class Response:
    __slots__ = ('data', 'status', 'content_type', 'headers', 'allow_304', 'kind', 'auto_delete', 'cacheable')

    def __init__(self, data, status, content_type, headers, allow_304=False, kind='data', auto_delete=False, cacheable=True):
        self.data, self.status, self.content_type, self.headers = data, status, content_type, headers
        self.allow_304, self.kind, self.auto_delete, self.cacheable = allow_304, kind, auto_delete, cacheable


def check_status(status):
    if type(status) is not int or not 200 <= status <= 599:
        raise InvalidResponse('status_code must be an int from 200 to 599')
    return status


def check_line(text, what):
    if not isinstance(text, str) or any(c < ' ' and c != '\t' or c == '\x7f' for c in text):
        raise InvalidResponse(f'{what} holds CR, LF, NUL or another control character')
    return text


def check_headers(headers):
    checked = []
    if headers is None:
        return checked
    items = headers.items() if hasattr(headers, 'items') else headers
    for name, value in items:
        if not isinstance(name, str) or not TOKEN.match(name):
            raise InvalidResponse('a header name is not a token')
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(one, (int, float)) and not isinstance(one, bool):
                one = str(one)
            one = check_line(one, 'a header')
            lower = name.lower()
            if lower in FORBIDDEN or (lower == 'set-cookie' and one.partition('=')[0].strip().lower().startswith(CONSOLE_COOKIE)):
                print(f'warning: a function cannot set the header {name}; it is ignored')
                continue
            checked.append((name, one))
    return checked


def media_type(content_type):
    if content_type is None:
        return ''
    content_type = MEDIA_TYPES.get(content_type, content_type)
    check_line(content_type, 'content_type')
    if not MEDIA_TYPE.match(content_type):
        raise InvalidResponse("content_type must be 'json', 'text', 'html' or a media type")
    return content_type


def attachment(name):
    """Content-Disposition of a download (RFC 6266): a plain name and, if needed, the exact one in UTF-8."""
    if name is True:
        return 'attachment'
    if not isinstance(name, str) or not name:
        raise InvalidResponse('download must be True, False or a file name')
    check_line(name, 'download')
    plain = ''.join(c if ' ' <= c <= '~' and c not in '"\\' else '_' for c in name)
    header = f'attachment; filename="{plain}"'
    if plain != name:
        header += "; filename*=UTF-8''" + urllib.parse.quote(name, safe='')
    return header


def add_download(headers, download):
    if download is False or download is None:
        return
    headers[:] = [(name, value) for name, value in headers if name.lower() != 'content-disposition']
    headers.append(('Content-Disposition', attachment(download)))


def make_response(data, status_code=200, content_type=None, headers=None, allow_304=False, download=False):
    status = check_status(status_code)
    own = check_headers(headers)
    kind = media_type(content_type)
    if download is not False and download is not None:
        add_download(own, download)
        name = download if isinstance(download, str) else ''
        kind = mimetypes.guess_type(name)[0] or 'application/octet-stream'
    return Response(data, status, kind, own, bool(allow_304), cacheable=status < 400)


def file_response(path, status_code=200, headers=None, allow_304=False, auto_delete=False, download=True):
    status = check_status(status_code)
    own = check_headers(headers)
    real = os.path.realpath(os.fspath(path))
    kind, relative = None, None
    for name, folder in (('call-file', _dff.call_folder()), ('resource-file', _dff.resource_folder())):
        if folder:
            root = os.path.realpath(folder)
            if real.startswith(root + os.sep):
                kind, relative = name, os.path.relpath(real, root)
                break
    if kind is None:
        raise PermissionError("the file is neither in the script set's resource folder nor in this call's folder")
    if not os.path.isfile(real):
        raise FileNotFoundError(f'no such file: {os.path.basename(real)}')
    add_download(own, os.path.basename(real) if download is True else download)
    guessed = mimetypes.guess_type(real)[0] or 'application/octet-stream'
    if guessed.startswith('text/'):
        guessed += '; charset=utf-8'
    return Response(relative, status, guessed, own, bool(allow_304), kind, bool(auto_delete) and kind == 'call-file', False)


def large_response(data, content_type=None):
    return Response(data, 200, media_type(content_type), [], kind='large', cacheable=False)


def redirect(url):
    check_line(url, 'the address')
    absolute_path = url.startswith('/') and not url.startswith(('//', '/\\'))
    parts = urllib.parse.urlsplit(url)
    if not absolute_path and not (parts.scheme in ('http', 'https') and parts.netloc):
        raise InvalidResponse('the address must be http(s) or an absolute path')
    location = urllib.parse.quote(url, safe="!#$%&'()*+,/:;=?@[]~")
    return Response(b'', 302, '', [('Location', location)], cacheable=False)
