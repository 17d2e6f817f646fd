"""From an annotation of a parameter to its converter.

`converter_of(annotation)` takes the evaluated annotation and returns a converter of dff._convert, or raises NoSchema: then the
value passes as it came.
"""

import base64
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import re
import types
import typing
import uuid

from dff._convert import (FLOAT_TEXT, AnyConverter, ArrayConverter, BoolConverter, ChoiceConverter, DictConverter,
                          FieldsConverter, FloatConverter, IntConverter, NullConverter, OptionalConverter, StrConverter,
                          TextFormConverter, TupleConverter)

DEPTH_MAX = 32
DATETIME_TEXT = re.compile(r'[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?'
                           r'([Zz]|[+-][0-9]{2}:?[0-9]{2})?\Z', re.ASCII)
NONE_TYPE = type(None)


def parse_date(text):
    if not re.match(r'[0-9]{4}-[0-9]{2}-[0-9]{2}\Z', text, re.ASCII):
        raise ValueError
    return datetime.date.fromisoformat(text)


def parse_datetime(text):
    if not DATETIME_TEXT.match(text):
        raise ValueError
    return datetime.datetime.fromisoformat(text.upper())


def parse_uuid(text):
    if not re.match(r'[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z', text, re.ASCII):
        raise ValueError
    return uuid.UUID(text)


def parse_decimal(text):
    if not FLOAT_TEXT.match(text) or len(text) > 100:
        raise ValueError
    number = decimal.Decimal(text)
    if not number.is_finite():
        raise ValueError
    return number


def parse_base64(text):
    return base64.b64decode(text, validate=True)


TEXT_FORMS = {
    datetime.date: (parse_date, 'a date such as 2026-03-02', {'format': 'date'}),
    datetime.datetime: (parse_datetime, 'a time such as 2026-03-02T09:15:00Z', {'format': 'date-time'}),
    uuid.UUID: (parse_uuid, 'a UUID', {'format': 'uuid'}),
    decimal.Decimal: (parse_decimal, 'a decimal number', {'pattern': r'^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$'}),
    bytes: (parse_base64, 'base64', {'contentEncoding': 'base64'}),
}
PLAIN = {str: StrConverter, int: IntConverter, float: FloatConverter, bool: BoolConverter, NONE_TYPE: NullConverter}
LISTS = (list, collections.abc.Sequence, collections.abc.Iterable)
SETS = (set, collections.abc.Set, collections.abc.MutableSet)
DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class NoSchema(Exception):
    """The annotation has none: the value passes as it is."""


def converter_of(annotation, depth=0):
    """The converter of an evaluated annotation; NoSchema if there is none."""
    if depth > DEPTH_MAX:
        raise NoSchema
    if annotation is inspect.Parameter.empty or annotation is typing.Any or annotation is object:
        return AnyConverter()
    if annotation is None:
        return NullConverter()
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return converter_of(arguments[0], depth + 1)
    if origin is typing.Union or origin is types.UnionType:
        return union_converter(arguments, depth)
    if origin is typing.Literal:
        return literal_converter(arguments)
    if origin is None and isinstance(annotation, type):
        return class_converter(annotation, depth)
    return generic_converter(origin, arguments, depth)


def union_converter(arguments, depth):
    others = [argument for argument in arguments if argument is not NONE_TYPE]
    if len(others) != 1 or len(others) == len(arguments):
        raise NoSchema
    return OptionalConverter(converter_of(others[0], depth + 1))


def literal_converter(arguments):
    if not all(isinstance(value, (str, int, bool, NONE_TYPE)) and not isinstance(value, enum.Enum) for value in arguments):
        raise NoSchema
    return ChoiceConverter([(value, value) for value in arguments], {})


def class_converter(annotation, depth):
    if annotation in PLAIN:
        return PLAIN[annotation]()
    if annotation in TEXT_FORMS:
        return TextFormConverter(*TEXT_FORMS[annotation])
    if issubclass(annotation, enum.Enum):
        members = list(annotation)
        if not members or not all(isinstance(member.value, (str, int, float, bool)) for member in members):
            raise NoSchema
        return ChoiceConverter([(plain_value(member.value), member) for member in members], dict(annotation.__members__))
    if typing.is_typeddict(annotation):
        hints = typing.get_type_hints(annotation)
        members = {name: converter_of(strip_required(hint), depth + 1) for name, hint in hints.items()}
        return FieldsConverter(dict, members, annotation.__required_keys__, {})
    if dataclasses.is_dataclass(annotation):
        return dataclass_converter(annotation, depth)
    return generic_converter(annotation, (), depth)


def plain_value(value):
    """The value of a member of a mixed-in Enum (class Size(str, Enum)) as the plain type."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def strip_required(hint):
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        hint = typing.get_args(hint)[0]
    return hint


def dataclass_converter(annotation, depth):
    hints = typing.get_type_hints(annotation)
    members, required, defaults = {}, set(), {}
    for field in dataclasses.fields(annotation):
        if not field.init:
            continue
        members[field.name] = converter_of(hints[field.name], depth + 1)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.add(field.name)
        elif field.default is not dataclasses.MISSING and isinstance(field.default, (str, int, float, bool, NONE_TYPE)):
            defaults[field.name] = field.default
    return FieldsConverter(annotation, members, required, defaults)


def generic_converter(origin, arguments, depth):
    def element(index=0):
        return converter_of(arguments[index], depth + 1) if arguments else AnyConverter()

    if origin in LISTS:
        return ArrayConverter(list, element())
    if origin in SETS:
        return ArrayConverter(set, element(), unique=False)
    if origin is frozenset:
        return ArrayConverter(frozenset, element(), unique=False)
    if origin is tuple:
        if not arguments or (len(arguments) == 2 and arguments[1] is Ellipsis):
            return ArrayConverter(tuple, element())
        return TupleConverter([converter_of(argument, depth + 1) for argument in arguments if argument != ()])
    if origin in DICTS:
        if arguments and arguments[0] is not str:
            raise NoSchema
        return DictConverter(element(1))
    raise NoSchema
