"""The smallest useful function, published twice: open to everybody, and behind a token."""


@DFF.API('Say hello', tags=['example'])
def hello(name: str = 'World'):
    '''Greets `name`.'''
    return {'greeting': f'Hello, {name}!', 'caller': _DFF_CALLER['name']}
