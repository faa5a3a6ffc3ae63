"""The boundary to the XML security libraries: whatever they raise becomes "it did not verify"; pure."""

from collections.abc import Iterator
from contextlib import contextmanager

import cryptography.exceptions
import xmlsec
from lxml import etree
from signxml.exceptions import SignXMLException

# Beside their own exceptions the libraries raise what Python raises at a missing part, an unknown
# algorithm, a key of the wrong kind or a text that is no number.
_ERRORS = (
    SignXMLException,
    xmlsec.Error,
    etree.LxmlError,
    cryptography.exceptions.InvalidSignature,
    cryptography.exceptions.UnsupportedAlgorithm,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    RuntimeError,
)


class LibraryError(Exception):
    """A library could not do what was asked with this message; the cause is chained."""


@contextmanager
def library_errors() -> Iterator[None]:
    """Turn everything that a library raises at a message into `LibraryError`."""
    try:
        yield
    except _ERRORS as error:
        raise LibraryError from error
