"""The sentence behind every reason: why a row was refused or looked at, and what mends it.

Stored are only the code and the values of its placeholders; the sentence is made when it is read, in the reader's language.
Loaders of other formats add their own sentences with `register`.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, Any] = {
    # files
    "tabular.empty": _("The file is empty (0 bytes). Export it again and look at it before you upload it."),
    "tabular.no_rows": _("The file has a header and no rows; there is nothing to import."),
    "tabular.only_blank": _("The file holds only blank lines. Export it again."),
    "tabular.is_zip": _(
        "The file is named .csv and begins like a zip or Excel file. Rename it to .xlsx if it is a workbook, or save it as CSV."
    ),
    "tabular.is_binary": _(
        "The file is not a text table: it holds binary data. Save it as CSV or as an Excel workbook."
    ),
    "tabular.not_a_workbook": _(
        "The workbook cannot be opened; it is damaged or of another kind. Save it again as .xlsx."
    ),
    "tabular.sheet_password": _("The workbook is protected by a password. Save it without one and upload it again."),
    "tabular.sheet_too_large": _(
        "The workbook unpacks to %(megabytes)s MB, which is too much to hold in memory. Save the sheet as CSV (UTF-8): CSV has no limit."
    ),
    "tabular.no_sheet": _("No visible sheet of the workbook has cells in it."),
    "tabular.unknown_sheet": _("The workbook has no sheet named “%(sheet)s”."),
    "tabular.archive_member": _("“%(member)s” in the archive was left out: it is not a table this import knows."),
    # encoding
    "tabular.mojibake_repairable": _(
        "The text was damaged before it reached us (%(how)s). It can be repaired: choose “repair the text”, or export the file again as UTF-8."
    ),
    "tabular.mojibake_lost": _(
        "The text was damaged before it reached us (%(how)s) and characters are lost for good. Do not import it; export the file again as UTF-8."
    ),
    "tabular.mixed_encodings": _(
        "From line %(line)s on the file is written in another encoding (probably %(encoding)s): two exports were put together. "
        "Those rows are refused; import the second part as a file of its own."
    ),
    "tabular.cut_off_file": _(
        "The file breaks off in the middle of its last row. The last row is refused; export the file again."
    ),
    "tabular.bad_bytes": _(
        "The row holds bytes that cannot be read in this encoding. Correct them in the list of refused rows."
    ),
    "tabular.cut_off": _("The file breaks off inside this row. Complete the row, or export the file again."),
    "tabular.nul_removed": _("A NUL character was taken out of line %(line)s; see whether the cell is complete."),
    "tabular.nul_bytes": _(
        "%(count)s NUL characters stand in the text; they are taken out. See whether the cells are complete."
    ),
    "tabular.own_characters": _(
        "The file uses characters of a private font (造字) in %(count)s places; they are kept, but show only where that font is installed."
    ),
    "tabular.question_marks": _(
        "%(count)s names hold question marks in place of characters (the first in line %(line)s): the system that exported "
        "them had no such character. Correct them after the import, or export as UTF-8."
    ),
    "tabular.guessed_encoding": _(
        "The encoding was guessed to be %(encoding)s. Look at the names in the preview before you go on."
    ),
    # layout
    "tabular.title_lines": _("The header is in line %(line)s; lines above it that are left out: %(count)s."),
    "tabular.total_line": _("Line %(line)s is a total, not a record; it is left out."),
    "tabular.total_lines": _("The last lines hold a total, not a record; they are left out."),
    "tabular.hidden_sheets": _("Hidden sheets were left out: %(sheets)s."),
    "tabular.mixed_dates": _(
        "Column “%(column)s” writes dates in several ways (%(forms)s). All are read; compare some with the preview."
    ),
    "tabular.zeros_restored": _(
        "A leading zero that the spreadsheet took was put back in line %(line)s, column %(column)s."
    ),
    "tabular.zeros_restored_column": _(
        "In column “%(column)s” the spreadsheet took leading zeros; they are put back to %(width)s digits."
    ),
    "tabular.short_cells": _("Rows without their last cells are filled with empty ones."),
    "tabular.unmapped": _("Nothing is imported from column “%(column)s”."),
    "tabular.rows_refused": _("%(count)s of the first rows would be refused; the others would be imported."),
    # rows
    "tabular.too_few_cells": _("The row has %(cells)s cells, the header has %(columns)s. Add what is missing."),
    "tabular.too_many_cells": _(
        "The row has %(cells)s cells, the header has %(columns)s. A cell with the delimiter in it needs quotes around it."
    ),
    "tabular.open_quote": _(
        "A quote is opened in this row and never closed, so everything to line %(last)s could belong to it. Close the quote and import the rest again."
    ),
    "tabular.cell_too_long": _(
        "A cell of this row is longer than %(limit)s characters, more than any value of a record. Shorten it and import the row again."
    ),
    "tabular.behind_open_quote": _(
        "Not read, because the quote opened in line %(first)s is never closed. Import it again once that line is mended."
    ),
    "tabular.quote_holds_rows": _(
        "A quoted cell runs over %(lines)s lines that look like rows of their own. Close the quote where the cell ends."
    ),
    # cells
    "row.required": _("This field must be filled."),
    "row.name_missing": _("There is no name. A patient needs one."),
    "row.no_identity": _("There is neither a chart number nor an id, so the row cannot be matched the next time."),
    "row.not_a_date": _("This is not written like a date; write it as 1990-03-05 or 79/3/5."),
    "row.impossible_date": _("There is no such day."),
    "row.date_in_future": _("The date lies in the future."),
    "row.ambiguous_date": _("The date can be read in two ways; it was read as %(read)s."),
    "row.not_a_number": _("This is not a number."),
    "row.not_a_whole_number": _("This is not a whole number."),
    "row.not_yes_or_no": _("This is neither yes nor no."),
    "row.not_an_amount": _("This is not an amount of money."),
    "row.unknown_code": _("“%(value)s” is not known here; map it to a code or correct it."),
    "row.unknown_sex": _("The sex is not one of male, female, other, unknown; it is kept as unknown."),
    "row.phone_unreadable": _("This is no telephone number in use; it is kept as it stands and cannot be called."),
    "row.phone_several": _("There are several telephone numbers in one cell; the first is the main one."),
    "row.phone_digits_lost": _(
        "A spreadsheet has shortened this number; its last digits are lost. Correct it at the source."
    ),
    "row.phone_doubtful": _("This number looks as if it had been typed to fill the field."),
    "row.email_unreadable": _("This is not an e-mail address; it is kept in the note."),
    "row.national_id_check_digit": _("The check digit of the national id is wrong; it is kept as it stands."),
    "row.sex_contradicts_id": _("The sex does not agree with the national id; it is kept as it stands."),
    "row.too_long": _("The text is longer than %(limit)s characters."),
    "row.cut": _("The text is longer than %(limit)s characters; what stands behind them was left out."),
    "row.unpaired_surrogate": _("The text holds half a character; type it again."),
    "row.end_before_start": _("The end lies before the start."),
    "row.patient_unknown": _(
        "No patient is known under this id or chart number. Import the patients first, or correct it."
    ),
    "row.encounter_unknown": _("The visit this row refers to is not known; the row is kept without it."),
    "row.duplicate_in_file": _("The file holds this id more than once; the last row counts."),
    "row.chart_number_taken": _("The chart number belongs to another patient already."),
    "row.chart_number_of_another": _(
        "Somebody else has this chart number here: another name and another birth date. Was the number given twice? Give this row "
        "another one; or, if it is the same person, correct the name or the birth date in CareLoop first and import the row again."
    ),
    "row.patient_merged": _("The patient was merged into another; the row went to that one."),
    "row.negative_amount": _("The amount is negative."),
    "row.refused_by_database": _("The database refused this value (%(column)s)."),
    # questions
    "ask.no_header": _(
        "The first line looks like a record, not like a header. Say what each column holds; the first line is then imported too."
    ),
    "ask.duplicate_header": _("Two columns are named “%(column)s” (columns %(places)s). Say which one counts."),
    "ask.encoding": _("Is the text readable in the preview? If not, choose another encoding."),
    "ask.sheet": _("The workbook has several sheets. Which one holds the records?"),
    "ask.date_order": _(
        "In column “%(column)s” dates such as %(example)s can be read day first or month first. Which is it?"
    ),
    "ask.kind": _("The columns do not say what the rows are. Choose: patients, visits, diagnoses …"),
    "ask.essential": _("No column was recognised as %(field)s. Choose one."),
}


def register(sentences: Mapping[str, Any]) -> None:
    """Add the sentences of another loader; a code may be given only once."""
    for code, sentence in sentences.items():
        if code in SENTENCES and SENTENCES[code] is not sentence:
            raise ValueError(f"the reason {code} has a sentence already")
        SENTENCES[code] = sentence


def sentence(code: str, values: Mapping[str, Any] | None = None, *, line: int | None = None) -> str:
    """Return the sentence of a reason in the active language, with its numbers filled in.

    An unknown code is shown as it is: an old batch must stay readable after a reason was renamed.
    """
    text = SENTENCES.get(code)
    if text is None:
        return code
    filled = {"line": line if line is not None else "?", **(values or {})}
    try:
        said = str(text) % filled
    except (KeyError, ValueError):
        said = str(text)
    if line is not None and "%(line)s" not in str(text):
        return _("Line %(line)s: %(sentence)s") % {"line": line, "sentence": said}
    return said
