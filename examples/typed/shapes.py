"""Typed arguments, uploads and the helpers that shape an answer."""
import csv
import html
from dataclasses import dataclass
from datetime import date
from typing import Literal, Optional


@dataclass
class Address:
    street: str
    city: str
    zip: str = ''


@DFF.API('Price of a basket', tags=['example', 'shop'], timeout=5)
def quote(sku: str, qty: int = 1, express: bool = False, size: Literal['S', 'M', 'L'] = 'M',
          notes: Optional[list[str]] = None, wanted: Optional[date] = None, address: Optional[Address] = None):
    '''Total price in cents.'''
    return {
        'cents': 250 * qty + (900 if express else 0),
        'sku': sku,
        'size': size,
        'notes': notes,
        'wanted': wanted,
        'city': address.city if address else None,
    }


@DFF.API('Count the rows of uploaded CSV files', tags=['example'])
def count_rows(files, title: str = ''):
    '''Each file lies in a folder of this call, which is deleted when the call ends.'''
    counts = []
    for file in files:
        with open(file['filePath'], newline='', encoding='utf-8') as lines:
            counts.append({'name': file['originalname'], 'size': file['size'], 'rows': sum(1 for _ in csv.reader(lines))})
    return {'title': title, 'files': counts}


@DFF.API('A page', tags=['example'])
def page(name: str = 'World'):
    return DFF.RESP(f'<h1>Hello, {html.escape(name)}!</h1>', content_type='html', headers={'Cache-Control': 'no-cache'})


@DFF.API('A redirect', tags=['example'])
def elsewhere():
    return DFF.REDIRECT('/api/v1/func-api/typed-page/s?name=you')


@DFF.API('A download', tags=['example'])
def report():
    return DFF.RESP('sku;cents\nA7;250\n', content_type='text/csv', download='report.csv')


@DFF.API('The uploaded file, sent back', tags=['example'])
def echo_file(files):
    '''Only files of this call's folder and of the script set's resources may be sent.'''
    return DFF.RESP_FILE(files[0]['filePath'], download=files[0]['originalname'], auto_delete=True)


@DFF.API('A large text', tags=['example'])
def large(lines: int = 1000):
    '''The text goes through a file and is streamed, so that it may be larger than an ordinary result.'''
    return DFF.RESP_LARGE_DATA(''.join(f'line {number}\n' for number in range(lines)), content_type='text')
