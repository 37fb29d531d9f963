"""The encoding of text that is not UTF-8, found from its letters.

Enters: the first bytes of a file. Leaves: the name of an encoding, and the reason. If words consist only of letters beyond ASCII,
the language is not a Western one: the encoding must then decode the text into letters of one script.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: share of non-ASCII bytes in runs of three or more from which on text is not Western
_NOT_WESTERN = 0.5
#: shares of the letters
_MANY, _MOSTLY, _SOME = 0.8, 0.5, 0.1
_RUNS = re.compile(rb"[\x80-\xff]+")
_KANA, _HANGUL = re.compile("[\u3040-\u30ff]"), re.compile("[\uac00-\ud7a3]")
_IDEOGRAPHS = re.compile("[\u4e00-\u9fff]")
_CYRILLIC = re.compile("[\u043e\u0435\u0430\u0438\u0456\u043d\u0442\u0441\u0440\u0432\u043b]")
#: the most frequent ideographs of Chinese, simplified and traditional
_FREQUENT = re.compile(
    "[\u7684\u4e00\u662f\u4e0d\u4e86\u5728\u4eba\u6709\u6211\u4ed6\u8fd9\u9019\u4e2a\u500b\u4eec\u5011\u4e2d\u6765\u4f86\u4e0a\u5927"
    "\u4e3a\u70ba\u548c\u56fd\u570b\u5730\u5230\u4ee5\u8bf4\u8aaa\u65f6\u6642\u8981\u5c31\u51fa\u4f1a\u6703\u53ef\u4e5f\u4f60\u5bf9\u5c0d"
    "\u751f\u80fd\u800c\u5b50\u90a3\u5f97\u4e8e\u65bc\u7740\u8457\u4e0b\u81ea\u4e4b\u5e74\u8fc7\u904e\u53d1\u767c\u540e\u5f8c\u5c0f\u5bb6"
    "\u5929\u5fc3\u591a\u6587\u751f\u6d77\u7535\u96fb\u5f71\u4e66\u66f8\u738b\u9f99\u9f8d\u5973\u7231\u611b\u65b0\u7f8e\u82f1\u96c4]"
)


def encoding_of(head: bytes) -> tuple[str, str]:
    """The encoding of whole lines that are not UTF-8, and the reason for it."""
    beyond = sum(map(len, _RUNS.findall(head)))
    in_runs = sum(len(run) for run in _RUNS.findall(head) if len(run) > 2)
    if in_runs <= _NOT_WESTERN * beyond:
        return _western(head)
    found = {name: letters for name in (*_WIDE, *_NARROW) if (letters := _letters(head, name))}
    for name, (what, is_it) in _WIDE.items():
        if name in found and is_it(found[name]):
            return name, f"its letters are {what} in this encoding"
    shares = {name: _share(found[name], _NARROW[name][1]) for name in _NARROW if name in found}
    best = max(shares, key=lambda name: shares[name], default="")
    if best and shares[best] > _MOSTLY:
        return best, f"its letters are {_NARROW[best][0]} in this encoding"
    name, why = _western(head)
    why = f"{why}, and " if why else ""
    return name, f"{why}its letters form long runs, which no Western language has: CHECK `encoding:`"


def _letters(head: bytes, encoding: str) -> str:
    """The characters beyond ASCII; "" if the encoding does not decode the text."""
    try:
        return "".join(char for char in head.decode(encoding) if char > "\x7f")
    except UnicodeError:
        return ""


def _western(head: bytes) -> tuple[str, str]:
    # 0x80 to 0x9f are control characters in latin-1, but quotes and the Euro sign in cp1252
    if any(0x80 <= byte <= 0x9F for byte in head) and len(head.decode("cp1252", "ignore")) == len(head):
        return "cp1252", "it has characters of Windows"
    return "latin-1", ""


def _share(letters: str, pattern: re.Pattern[str]) -> float:
    return len(pattern.findall(letters)) / len(letters)


def _is_japanese(letters: str) -> bool:
    kana = _share(letters, _KANA)
    return kana > _SOME and kana + _share(letters, _IDEOGRAPHS) > _MANY


def _is_chinese(letters: str) -> bool:
    return _share(letters, _IDEOGRAPHS) > _MANY and _share(letters, _FREQUENT) > _SOME / 2


_WIDE: dict[str, tuple[str, Callable[[str], bool]]] = {
    "shift_jis": ("Japanese", _is_japanese),
    "euc_jp": ("Japanese", _is_japanese),
    "euc_kr": ("Korean", lambda letters: _share(letters, _HANGUL) > _MANY),
    "gb18030": ("Chinese", _is_chinese),
    "big5": ("Chinese", _is_chinese),
}
#: encodings of one byte per character: the script, and the letters that make up two thirds of its text
_NARROW = {
    "cp1251": ("Cyrillic", _CYRILLIC),
    "koi8-r": ("Cyrillic", _CYRILLIC),
    "cp1253": (
        "Greek",
        re.compile("[\u03b1\u03bf\u03b9\u03b5\u03c4\u03c3\u03c2\u03bd\u03b7\u03c5\u03c1\u03ac-\u03af\u03cc]"),
    ),
    "cp1255": ("Hebrew", re.compile("[\u05d9\u05d5\u05d4\u05dc\u05d0\u05e8\u05ea\u05d1\u05e9\u05de\u05dd]")),
    "cp1256": ("Arabic", re.compile("[\u0627\u0644\u064a\u0645\u0646\u0648\u0631\u062a\u0628\u0629\u0647]")),
}
