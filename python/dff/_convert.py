"""Converters: each checks and converts one argument value and knows the JSON Schema (2020-12) of its type.

A converter has two methods, `from_json(value, path, errors)` for values that came as JSON and `from_text(value, path, errors)`
for text or a list of texts. Both return the value the function receives; what is wrong is appended to `errors` as
{path, code, message, expected, found} (types, never values) and the returned value is then without meaning.
`kind` tells the worker which converters it has in C++ itself; those are not called from there.
"""

import binascii
import math
import re

import _dff

KIND_ANY, KIND_STR, KIND_INT, KIND_FLOAT, KIND_BOOL, KIND_OTHER = range(6)
ERRORS_MAX = 20
INT_TEXT = re.compile(r'-?[0-9]{1,18}\Z', re.ASCII)
FLOAT_TEXT = re.compile(r'-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z', re.ASCII)
BOOLEANS = {'true': True, '1': True, 'false': False, '0': False}


def json_type(value):
    """The JSON name of the type of a parsed value."""
    if value is None:
        return 'null'
    if isinstance(value, bool):
        return 'boolean'
    for kind, name in ((int, 'integer'), (float, 'number'), (str, 'string'), (dict, 'object')):
        if isinstance(value, kind):
            return name
    return 'array'


def problem(errors, path, code, message, expected, value):
    if len(errors) < ERRORS_MAX:
        errors.append({'path': path, 'code': code, 'message': message, 'expected': expected, 'found': json_type(value)})


def article(expected):
    return ('an ' if expected[0] in 'aeiou' else 'a ') + expected


class Converter:
    kind = KIND_OTHER
    nullable = False
    expected = 'any'

    def schema(self):
        return {}

    def from_json(self, value, path, errors):
        return value

    def from_text(self, value, path, errors):
        return value

    def wrong_type(self, value, path, errors):
        problem(errors, path, 'type', 'must be ' + article(self.expected), self.expected, value)

    def json_text(self, value, path, errors):
        """A value that has no text spelling of its own: its JSON text."""
        if isinstance(value, str):
            try:
                return self.from_json(_dff.parse_json(value), path, errors)
            except ValueError:
                pass
        self.wrong_type(value, path, errors)


class AnyConverter(Converter):
    kind = KIND_ANY


class StrConverter(Converter):
    kind = KIND_STR
    expected = 'string'

    def schema(self):
        return {'type': 'string'}

    def from_json(self, value, path, errors):
        if isinstance(value, str):
            return value
        self.wrong_type(value, path, errors)

    from_text = from_json


class IntConverter(Converter):
    kind = KIND_INT
    expected = 'integer'

    def schema(self):
        return {'type': 'integer'}

    def from_json(self, value, path, errors):
        if type(value) is int:
            return value
        self.wrong_type(value, path, errors)

    def from_text(self, value, path, errors):
        if isinstance(value, str) and INT_TEXT.match(value):
            return int(value)
        self.wrong_type(value, path, errors)


class FloatConverter(Converter):
    kind = KIND_FLOAT
    expected = 'number'

    def schema(self):
        return {'type': 'number'}

    def from_json(self, value, path, errors):
        if type(value) in (int, float):
            try:
                return float(value)
            except OverflowError:
                problem(errors, path, 'value', 'must be a finite number', self.expected, value)
                return None
        self.wrong_type(value, path, errors)

    def from_text(self, value, path, errors):
        if isinstance(value, str) and FLOAT_TEXT.match(value):
            number = float(value)
            if math.isfinite(number):
                return number
        self.wrong_type(value, path, errors)


class BoolConverter(Converter):
    kind = KIND_BOOL
    expected = 'boolean'

    def schema(self):
        return {'type': 'boolean'}

    def from_json(self, value, path, errors):
        if isinstance(value, bool):
            return value
        self.wrong_type(value, path, errors)

    def from_text(self, value, path, errors):
        if isinstance(value, str) and value.lower() in BOOLEANS:
            return BOOLEANS[value.lower()]
        self.wrong_type(value, path, errors)


class NullConverter(Converter):
    expected = 'null'

    def schema(self):
        return {'type': 'null'}

    def from_json(self, value, path, errors):
        if value is not None:
            self.wrong_type(value, path, errors)

    def from_text(self, value, path, errors):
        if value != '':
            self.wrong_type(value, path, errors)


class OptionalConverter(Converter):
    nullable = True

    def __init__(self, inner):
        self.inner = inner
        self.kind = inner.kind
        self.expected = inner.expected

    def schema(self):
        inner = self.inner.schema()
        if isinstance(inner.get('type'), str) and 'enum' not in inner:
            return {**inner, 'type': [inner['type'], 'null']}
        return {'anyOf': [inner, {'type': 'null'}]} if inner else {}

    def from_json(self, value, path, errors):
        return None if value is None else self.inner.from_json(value, path, errors)

    def from_text(self, value, path, errors):
        if value == '' and self.kind != KIND_STR:
            return None
        return self.inner.from_text(value, path, errors)


class ArrayConverter(Converter):
    expected = 'array'

    def __init__(self, build, element, unique=False):
        self.build, self.element, self.unique = build, element, unique

    def schema(self):
        schema = {'type': 'array'}
        items = self.element.schema()
        if items:
            schema['items'] = items
        if self.unique:
            schema['uniqueItems'] = True
        return schema

    def build_from(self, values, convert, path, errors):
        before = len(errors)
        converted = [convert(value, f'{path}[{index}]', errors) for index, value in enumerate(values)]
        if len(errors) != before:
            return None
        try:
            built = self.build(converted)
        except TypeError:
            # Elements of a set that cannot be hashed.
            problem(errors, path, 'value', 'must hold plain values', 'array', values)
            return None
        if self.unique and len(built) != len(converted):
            problem(errors, path, 'value', 'must not hold an element twice', 'array', values)
        return built

    def from_json(self, value, path, errors):
        if isinstance(value, list):
            return self.build_from(value, self.element.from_json, path, errors)
        self.wrong_type(value, path, errors)

    def from_text(self, value, path, errors):
        if isinstance(value, str):
            if value.startswith('['):
                return self.json_text(value, path, errors)
            value = [value]
        # A set given by repeating a name is what remains after removing equals: nothing was promised about repeats in text.
        return self.build_from(value, self.element.from_text, path, errors)


class TupleConverter(Converter):
    expected = 'array'

    def __init__(self, elements):
        self.elements = elements

    def schema(self):
        count = len(self.elements)
        items = [element.schema() for element in self.elements]
        return {'type': 'array', 'prefixItems': items, 'minItems': count, 'maxItems': count}

    def build_from(self, values, method, path, errors):
        if len(values) != len(self.elements):
            problem(errors, path, 'value', f'must have {len(self.elements)} elements', 'array', values)
            return None
        return tuple(getattr(element, method)(value, f'{path}[{index}]', errors)
                     for index, (element, value) in enumerate(zip(self.elements, values)))

    def from_json(self, value, path, errors):
        if isinstance(value, list):
            return self.build_from(value, 'from_json', path, errors)
        self.wrong_type(value, path, errors)

    def from_text(self, value, path, errors):
        if isinstance(value, str):
            if value.startswith('['):
                return self.json_text(value, path, errors)
            value = [value]
        return self.build_from(value, 'from_text', path, errors)


class DictConverter(Converter):
    expected = 'object'

    def __init__(self, element):
        self.element = element

    def schema(self):
        element = self.element.schema()
        return {'type': 'object', 'additionalProperties': element} if element else {'type': 'object'}

    def from_json(self, value, path, errors):
        if not isinstance(value, dict):
            return self.wrong_type(value, path, errors)
        return {name: self.element.from_json(member, f'{path}.{name[:100]}', errors) for name, member in value.items()}

    def from_text(self, value, path, errors):
        return self.json_text(value, path, errors)


class FieldsConverter(Converter):
    """TypedDict and dataclass: named members, unknown ones refused."""

    expected = 'object'

    def __init__(self, build, members, required, defaults):
        self.build, self.members, self.required, self.defaults = build, members, required, defaults

    def schema(self):
        properties = {}
        for name, converter in self.members.items():
            properties[name] = converter.schema()
            if name in self.defaults:
                properties[name] = {**properties[name], 'default': self.defaults[name]}
        schema = {'type': 'object', 'properties': properties, 'additionalProperties': False}
        if self.required:
            schema['required'] = sorted(self.required)
        return schema

    def from_json(self, value, path, errors):
        if not isinstance(value, dict):
            return self.wrong_type(value, path, errors)
        before = len(errors)
        converted = {}
        for name, member in value.items():
            at = f'{path}.{name[:100]}'
            if name not in self.members:
                if len(errors) < ERRORS_MAX:
                    errors.append({'path': at, 'code': 'unknown', 'message': 'is not known', 'expected': None,
                                   'found': json_type(member)})
                continue
            converted[name] = self.members[name].from_json(member, at, errors)
        for name in self.required:
            if name not in value and len(errors) < ERRORS_MAX:
                errors.append({'path': f'{path}.{name}', 'code': 'missing', 'message': 'is required',
                               'expected': self.members[name].expected, 'found': None})
        if len(errors) != before:
            return None
        try:
            return self.build(**converted)
        except (ValueError, TypeError):
            # __post_init__ of a dataclass refuses the combination.
            problem(errors, path, 'value', 'is refused by its type', 'object', value)

    def from_text(self, value, path, errors):
        return self.json_text(value, path, errors)


class ChoiceConverter(Converter):
    """Literal and Enum: `choices` are pairs of the JSON value and what the function receives."""

    def __init__(self, choices, names):
        self.choices, self.names = choices, names
        kinds = {json_type(value) for value, _ in choices}
        self.expected = kinds.pop() if len(kinds) == 1 else 'any'

    def schema(self):
        schema = {'enum': [value for value, _ in self.choices]}
        return schema if self.expected == 'any' else {'type': self.expected, **schema}

    def wrong_value(self, value, path, errors):
        problem(errors, path, 'value', 'must be one of the allowed values', self.expected, value)

    def from_json(self, value, path, errors):
        for choice, received in self.choices:
            if type(choice) is type(value) and choice == value:
                return received
        if self.expected not in ('any', json_type(value)):
            return self.wrong_type(value, path, errors)
        self.wrong_value(value, path, errors)

    def from_text(self, value, path, errors):
        if isinstance(value, str):
            for choice, received in self.choices:
                if choice == value:
                    return received
            if value in self.names:
                return self.names[value]
            for choice, received in self.choices:
                if not isinstance(choice, str) and _dff.to_json(choice) == (value.lower() if isinstance(choice, bool) else value):
                    return received
        self.wrong_value(value, path, errors)


class TextFormConverter(Converter):
    """date, datetime, UUID, Decimal, bytes: a string in a format."""

    expected = 'string'

    def __init__(self, parse, title, schema):
        self.parse, self.title, self.own_schema = parse, title, schema

    def schema(self):
        return {'type': 'string', **self.own_schema}

    def from_json(self, value, path, errors):
        if not isinstance(value, str):
            return self.wrong_type(value, path, errors)
        try:
            return self.parse(value)
        except (ValueError, ArithmeticError, binascii.Error):
            problem(errors, path, 'value', 'must be ' + self.title, self.expected, value)

    from_text = from_json
