"""The documentation site: `sphinx-build -W -n docs build/site`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_site"))

from reference_pages import write_pages  # noqa: E402

import kgrec  # noqa: E402

project = "kgrec"
author = "The kgrec authors"
copyright = "The kgrec authors, Apache-2.0"
release = version = kgrec.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["_site"]
# notebooks are shown with the output that they are stored with; tests/test_notebooks.py runs them
nb_execution_mode = "off"
html_theme = "furo"
html_title = f"kgrec {release}"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
# sessions without a lexer of their own stay as they are; a word in a type may be the name of several attributes
suppress_warnings = ["misc.highlighting_failure", "ref.python"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
# docstrings have names of arguments and code between single backticks
default_role = "literal"
napoleon_google_docstring = True
napoleon_use_rtype = False
napoleon_use_ivar = True
nitpick_ignore_regex = [("py:.*", ".*")]

write_pages(HERE / "generated")
