"""`FormData`: the fields of a form, and how they are read from and written to a body."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from agents_runtime.local.shim.blob import Blob, File
from agents_runtime.local.shim.js_view import JsView, unwrap

if TYPE_CHECKING:
    from agents_runtime.local.shim.types import FormDataValue

MAX_FIELDS = 10_000
"""Fields that one body may carry."""
MAX_PART_HEADER_BYTES = 16_384
"""Size of the header of one part of a multipart body."""

_parameter = re.compile(r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))')
_line_end = re.compile(rb"\r?\n")
_header_end = re.compile(rb"\r?\n\r?\n")


class FormData(MutableMapping[str, "FormDataValue"]):
    """Fields of a form in order; a name may come more than once. As in the `workers` SDK.

    Reading a name that is missing gives None, as on the platform, not a KeyError.
    """

    __slots__ = ("_fields",)

    crosses_rpc = True

    def __init__(self, form_data: FormData | JsView | Mapping[str, FormDataValue] | None = None) -> None:
        self._fields: list[tuple[str, FormDataValue]] = []
        source = unwrap(form_data)
        if isinstance(form_data, JsView) and isinstance(source, FormData):
            self._fields = source._fields
        elif isinstance(source, dict):
            for name, value in cast("dict[str, FormDataValue]", source).items():
                self.append(name, value)
        elif source is not None:
            raise TypeError(f"a FormData is made of a dict, not of {type(source).__name__}")

    def __getitem__(self, key: str) -> FormDataValue:
        return next((value for name, value in self._fields if name == key), None)  # type: ignore[return-value]  # the SDK's None

    def __setitem__(self, key: str, value: FormDataValue) -> None:
        entry = _checked(key, value, None)
        places = [at for at, (name, _) in enumerate(self._fields) if name == key]
        if not places:
            self._fields.append(entry)
            return
        self._fields[places[0]] = entry
        for at in reversed(places[1:]):
            del self._fields[at]

    def __delitem__(self, key: str) -> None:
        self._fields[:] = [field for field in self._fields if field[0] != key]

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, key: object) -> bool:
        return any(name == key for name, _ in self._fields)

    def append(self, key: str, value: FormDataValue, filename: str | None = None) -> None:
        """Add a field, also when the name is there already. A Blob becomes a File, named like the field by default."""
        self._fields.append(_checked(key, value, filename))

    def delete(self, key: str) -> None:
        """Remove every field of this name. Repeating is harmless."""
        del self[key]

    def get_all(self, key: str) -> list[FormDataValue]:
        """All values of this name, in order."""
        return [value for name, value in self._fields if name == key]

    # Generators, as in the SDK, and with repeated names: a Mapping's views would show each name once.
    def keys(self) -> Generator[str, None, None]:  # type: ignore[override]  # see above
        """The names in order, repeated ones repeated."""
        return (name for name, _ in self._fields)

    def values(self) -> Generator[FormDataValue, None, None]:  # type: ignore[override]  # see above
        """The values in order."""
        return (value for _, value in self._fields)

    def items(self) -> Generator[tuple[str, FormDataValue], None, None]:  # type: ignore[override]  # see above
        """Names and values in order."""
        return (field for field in self._fields)

    @property
    def js_object(self) -> JsView:
        """Stands for this form where the platform takes a JavaScript one."""
        return JsView(self)

    def encoded(self) -> tuple[bytes, str]:
        """The form as a multipart body, and its content type. Internal."""
        boundary = f"----FormBoundary{os.urandom(12).hex()}"
        pieces: list[bytes] = []
        for name, value in self._fields:
            pieces.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'.encode())
            if isinstance(value, File):
                kind = value.content_type or "application/octet-stream"
                pieces.append(f'; filename="{_quoted(value.name)}"\r\nContent-Type: {kind}'.encode())
                pieces += [b"\r\n\r\n", value.data, b"\r\n"]
            else:
                pieces += [b"\r\n\r\n", str(value).encode("utf-8", "replace"), b"\r\n"]
        pieces.append(f"--{boundary}--".encode())
        return b"".join(pieces), f"multipart/form-data; boundary={boundary}"

    def __repr__(self) -> str:
        return f"FormData({self._fields!r})"


def parse(data: bytes, content_type: str) -> FormData:
    """The form in a body. Raises TypeError when the content type is none of a form or the body is malformed."""
    kind = content_type.partition(";")[0].strip().lower()
    form = FormData()
    if kind == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise TypeError(f"the form has more than {MAX_FIELDS} fields") from None
        for name, text in pairs:
            form.append(name, text)
        return form
    if kind != "multipart/form-data":
        raise TypeError(
            "the body is no form: its content-type must be multipart/form-data or "
            f"application/x-www-form-urlencoded, not {content_type or 'missing'!r}"
        )
    boundary = _parameters(content_type).get("boundary")
    if not boundary:
        raise TypeError("the content-type multipart/form-data has no boundary")
    for head, body in _parts(data, boundary.encode()):
        if len(form) >= MAX_FIELDS:
            raise TypeError(f"the form has more than {MAX_FIELDS} fields")
        _read_part(form, head, body)
    return form


def _parts(data: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Header and content of every part."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary))
    place = delimiter.search(data)
    while place is not None:
        at = place.end()
        if data.startswith(b"--", at):
            return
        line_end = _line_end.match(data, at)
        if line_end is None:
            raise TypeError("the multipart body is malformed: a boundary is followed by neither a line end nor --")
        header_end = _header_end.search(data, line_end.end())
        if header_end is None or header_end.start() - at > MAX_PART_HEADER_BYTES:
            raise TypeError("a part of the multipart body has no end of its header, or a header that is too long")
        place = delimiter.search(data, header_end.end())
        if place is not None:
            yield data[line_end.end() : header_end.start()], data[header_end.end() : place.start()]
    raise TypeError("the multipart body is cut off: its last boundary is missing")


def _read_part(form: FormData, head: bytes, body: bytes) -> None:
    header: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        header[name.strip().lower()] = value.strip()
    disposition = header.get("content-disposition", "")
    parameters = _parameters(disposition, quoted_only=True)
    if disposition.partition(";")[0].strip().lower() != "form-data" or not parameters.get("name"):
        raise TypeError('a part of the multipart body has no "Content-Disposition: form-data" with a name')
    filename = parameters.get("filename")
    if filename:
        form.append(parameters["name"], File(body, filename, header.get("content-type")))
    else:
        form.append(parameters["name"], body.decode("utf-8", "replace"))


def _parameters(header: str, *, quoted_only: bool = False) -> dict[str, str]:
    """The `key=value` parameters after the first semicolon, keys in lower case. Percent signs are left alone."""
    found: dict[str, str] = {}
    for match in _parameter.finditer(header):
        quoted, plain = match[2], match[3]
        if quoted is not None:
            found.setdefault(match[1].lower(), re.sub(r"\\([\"\\])", r"\1", quoted))
        elif not quoted_only:
            found.setdefault(match[1].lower(), plain)
    return found


def _quoted(name: str) -> str:
    return re.sub(r"\r\n|\r|\n", "%0D%0A", name).replace('"', "%22")


def _checked(key: object, value: object, filename: str | None) -> tuple[str, FormDataValue]:
    plain = unwrap(value)
    if not isinstance(key, str):
        raise TypeError(f"the name of a form field is a text, not {type(key).__name__}")
    if isinstance(plain, Blob):
        if isinstance(plain, File) and filename is None:
            return key, plain
        return key, File(plain, key if filename is None else filename)
    if isinstance(plain, int) and not isinstance(plain, bool):
        plain = str(plain)
    if not isinstance(plain, str):
        raise TypeError(f"a form field is a text, a Blob or a File, not {type(plain).__name__}")
    return key, plain
