"""Describes an exception of a function for the server, whatever the exception does when it is looked at."""

import traceback

REPRESENTATION_MAX = 1000
TRACEBACK_MAX = 32768
OWN_FOLDER = '<dff>'


def representation(error):
    try:
        text = repr(error)
        if type(text) is not str:
            text = str.__str__(text)
    except BaseException as second:
        text = f'<{type(error).__name__}: its repr raised {type(second).__name__}>'
    return text.encode('utf-8', 'replace').decode()[:REPRESENTATION_MAX]


def trace_text(error):
    """The traceback as the author knows it: without frames of this product at its begin."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OWN_FOLDER):
            trace = trace.tb_next
        text = ''.join(traceback.format_exception(type(error), error, trace))
    except BaseException:
        text = ''
    if len(text) > TRACEBACK_MAX:
        text = text[:TRACEBACK_MAX // 2] + '\n…\n' + text[-TRACEBACK_MAX // 2:]
    return text.encode('utf-8', 'replace').decode()


def describe(error):
    name = type(error).__name__
    shown = representation(error)
    return {'exceptionType': 'UserScriptException', 'exception': ('In User Script: ' + shown)[:REPRESENTATION_MAX],
            'exceptionFrom': 'userScript', 'originExceptionType': name, 'originException': shown, 'traceback': trace_text(error)}
