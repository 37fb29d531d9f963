"""The script of the widget: one module that loads nothing.

Enters: `widget.js`, and the modules of the server's page that it imports. Leaves: the text of one ES module. Nothing is written.

A widget is a single text, so this module resolves imports between files. Each module becomes a function that returns its exports. Two
modules are generated instead of read: the style sheet of the page for a shadow root, and cytoscape from the vendored files, which the page
loads by URL.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

_FOLDER = Path(__file__).parent
_PAGE = _FOLDER.parent / "serve" / "page"
_ENTRY = _FOLDER / "widget.js"
#: package -> its file; each needs only those before it
_VENDORED = ("cytoscape", "layout-base", "cose-base", "cytoscape-fcose")

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const) (\w+))", re.MULTILINE)
_DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{\s*:root (\{[^}]*\})\s*\}")


def script() -> str:
    """The module; its default export has `render`, as anywidget expects."""
    made = {_PAGE / "cytoscape.js": _cytoscape(), _FOLDER / "style.js": _style()}
    found: dict[Path, str] = {}
    _read(_ENTRY, made, found)
    modules = "\n".join(found.values())
    return (
        f"const modules = {{}};\n{modules}\nexport default {{ render: modules[{_name(_ENTRY)}].render }};\n"
    )


def _read(path: Path, made: dict[Path, str], found: dict[Path, str]) -> None:
    """Add a module after those that it imports."""
    text = made.get(path) or path.read_text(encoding="utf-8")
    imported = {there: (path.parent / there).resolve() for _, there in _IMPORT.findall(text)}
    for other in imported.values():
        if other not in found:
            _read(other, made, found)
    text = _IMPORT.sub(lambda one: f"const {one[1]} = modules[{_name(imported[one[2]])}];", text)
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", text)
    found[path] = f"modules[{_name(path)}] = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();"


def _name(path: Path) -> str:
    return json.dumps(path.relative_to(_FOLDER.parent).as_posix())


def _style() -> str:
    """The colours and classes of the page inside a shadow root, dark if its host has the class `dark`."""
    text = (_PAGE / "page.css").read_text(encoding="utf-8")
    text = _DARK.sub(r":host(.dark) \1", text).replace(":root", ":host")
    own = (_FOLDER / "widget.css").read_text(encoding="utf-8")
    return f"export const css = {json.dumps(text + own)};"


def _cytoscape() -> str:
    """The vendored files as CommonJS, so that none of them searches the notebook's module loader or sets a global variable."""
    parts = ["const packages = {};"]
    for name in _VENDORED:
        text = (_PAGE / "vendor" / f"{name}.js").read_text(encoding="utf-8")
        parts.append(
            f"packages[{json.dumps(name)}] = ((module) => {{ (function (exports, require) {{\n{text}\n}})"
            "(module.exports, (name) => packages[name]); return module.exports; })({ exports: {} });"
        )
    parts.append('packages["cytoscape"].use(packages["cytoscape-fcose"]);')
    parts.append('export const library = async () => packages["cytoscape"];')
    return "\n".join(parts)
