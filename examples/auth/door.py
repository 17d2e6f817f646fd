"""One function behind every type of authentication, and an authentication function that shows all its outcomes."""
import hmac


@DFF.API('Say hello to a known caller', tags=['example'])
def hello(name: str = 'World'):
    '''Greets `name` and tells as whom the caller was recognised.'''
    return {'greeting': f'Hello, {name}!', 'caller': _DFF_CALLER['name'], 'type': _DFF_CALLER['type']}


@DFF.API('Badge check')
def check_badge():
    '''Decides by the header X-Badge. Only the object True lets the caller in; everything else is a refusal.'''
    badge = _DFF_HTTP_REQUEST['headers'].get('x-badge', '')
    if hmac.compare_digest(badge.encode(), DFF.ENV('EXAMPLE_BADGE', '').encode()) and badge:
        DFF.SET_CALLER('badge-' + badge[-4:])
        return True
    if badge == 'refused':
        return False
    if badge == 'text':
        return 'Unknown badge'
    if badge == 'json':
        return {'hint': 'badge too short'}
    if badge == 'raise':
        raise ValueError('no badge')
    return 'Send your badge in the header X-Badge'
