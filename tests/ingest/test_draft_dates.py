"""In which form dates are written."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kgrec.ingest import cells
from kgrec.ingest.draft.looks import _FORMS, DateForm, date_form


def form_of(*values, name="released"):
    return date_form(pa.array(values, pa.string()), name)


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["01-Jan-1995", "4-Feb-1971"], "%d-%b-%Y"),
        (["31/12/1999", "01/02/2000"], "%d/%m/%Y"),
        (["12/31/1999", "1/2/2000"], "%m/%d/%Y"),
        (["1999/12/31"], "%Y/%m/%d"),
        (["31.12.1999", "1.2.2000"], "%d.%m.%Y"),
        (["31/12/99"], "%d/%m/%y"),
        (["12/31/99"], "%m/%d/%y"),
        (["1999-1-5"], "%Y-%m-%d"),
        (["June 17, 2018"], "%B %d, %Y"),
        (["06 17, 2018", "06 2, 2018"], "%m %d, %Y"),
        (["31.12.1999 23:59"], "%d.%m.%Y %H:%M"),
        (["12/31/1999 11:59:59 PM"], "%m/%d/%Y %I:%M:%S %p"),
        (["Mon Apr 06 22:19:45 +0000 2009"], "%a %b %d %H:%M:%S %z %Y"),
        (["19991231", "20000101"], "%Y%m%d"),
    ],
)
def test_dates_in_one_of_the_known_forms(values, form):
    found = form_of(*values)
    assert found is not None and found.format == form
    assert len(cells.dates(pa.array(values), form)[2]) == 0


@pytest.mark.parametrize("values", [["1999-12-31", "2000"], ["1999-12-31T10:00:00Z"], ["1999-12-31 10:00"]])
def test_iso_dates_need_no_form(values):
    assert form_of(*values) == DateForm(None, "all its values are ISO 8601 dates")


def test_where_the_day_may_be_the_month_the_reason_says_so():
    assert form_of("01/02/2000", "03/04/2001") == DateForm(
        "%d/%m/%Y",
        'all its values match "%d/%m/%Y", and "%m/%d/%Y" too: check whether the day or the month is first',
    )
    assert form_of("01/02/2000", "03/14/2001") == DateForm("%m/%d/%Y", 'all its values match "%m/%d/%Y"')
    assert form_of("1.2.2000 10:00").reason == 'all its values match "%d.%m.%Y %H:%M"'


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (["1999", "2000"], "year"),
        (["19991231"], "zip"),
        (["19991331"], "date"),
        (["31/12/1999", "12/31/1999"], "date"),
        (["31/12/1999", "soon"], "date"),
        (["One", "Two"], "date"),
        ([], "date"),
    ],
)
def test_what_is_no_date(values, name):
    assert form_of(*values, name=name) is None


def test_of_two_readings_the_one_with_the_day_first_is_tried_first():
    assert len(set(_FORMS)) == len(_FORMS)
    for form in _FORMS:
        swapped = form.translate(str.maketrans("dm", "md"))
        if swapped in _FORMS and form.index("d") < form.find("m"):
            assert _FORMS.index(form) < _FORMS.index(swapped)
