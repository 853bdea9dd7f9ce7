"""What an import says about FHIR it could not take or doubts: code → sentence with the cure in it.

They are registered with the import's reasons, which makes the sentence in the reader's language.
Placeholders carry names, numbers and paths, never patient data.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

from careloop.integrations.imports.reasons import register

REASONS: dict[str, Any] = {
    # the source
    "fhir.no_such_file": _("There is no file or folder of this name."),
    "fhir.nothing_inside": _(
        "Nothing in it is FHIR in JSON. Expected: .json, .ndjson, a folder, .zip or .tar(.gz, .xz, .bz2)."
    ),
    "fhir.not_an_archive": _(
        "The archive cannot be opened: it is damaged or cut off (%(what)s). Copy it again and retry."
    ),
    "fhir.encrypted": _("The archive member is protected with a password. Unpack it first, then import the folder."),
    "fhir.archive_in_archive": _(
        "An archive inside an archive is not opened. Unpack it first, then import the folder."
    ),
    "fhir.too_many_members": _("The archive has more than %(limit)d members. Import it in parts."),
    "fhir.total_too_large": _("Unpacked, the source is larger than %(limit)d MB. Import it in parts."),
    "fhir.suspicious_ratio": _(
        "The archive unpacks to more than %(limit)d times its size, as archives made to do harm do. If it is "
        "genuine, unpack it yourself and import the folder."
    ),
    "fhir.document_too_large": _(
        "The document has more than %(limit)d MB. Export one Bundle per patient, or NDJSON (one resource a line)."
    ),
    "fhir.resource_too_large": _("The resource has more than %(limit)d MB. Take attachments out of it."),
    "fhir.not_read": _("The file is not FHIR in JSON (%(what)s) and was left out."),
    "fhir.unreadable": _("The file cannot be read (%(what)s)."),
    # the document
    "fhir.xml": _("This is FHIR in XML. Only JSON can be imported: choose JSON or NDJSON in the exporting program."),
    "fhir.empty": _("The document is empty."),
    "fhir.not_well_formed": _(
        "Not well-formed JSON at line %(row)d, column %(column)d: %(what)s. Export it again, or mend it in an editor."
    ),
    "fhir.cut_off": _("The document ends in the middle. Export or copy it again."),
    "fhir.not_utf8": _("The document is not in UTF-8. Export it again in UTF-8."),
    "fhir.half_character": _("A text holds half a character (an unpaired surrogate). Type that text again."),
    "fhir.nul_removed": _("A text held NUL characters; they were taken out."),
    "fhir.not_an_object": _("This is no resource: a resource is an object, in { }."),
    "fhir.no_resource_type": _("It does not say which resource it is: “resourceType” is missing."),
    "fhir.unknown_type": _("“%(type)s” is no resource of FHIR R4. Check the spelling of “resourceType”."),
    "fhir.no_entry_list": _("“entry” must be a list."),
    "fhir.entry_without_resource": _("The entry has no resource; nothing was imported from it."),
    "fhir.delete_not_followed": _(
        "The entry asks to delete a record. An import never deletes; the entry was left out."
    ),
    "fhir.duplicate_id": _(
        "%(type)s with this id is already in the same document with other content. Only the first was taken."
    ),
    "fhir.repeated": _("The same %(type)s is in the document twice; it was taken once."),
    # the resource
    "fhir.expected_list": _("FHIR R4 has a list here; put [ ] around what is there."),
    "fhir.expected_object": _("FHIR R4 has an object here, in { }; there is something else."),
    "fhir.expected_text": _("FHIR R4 has a text here, in quotes; there is something else."),
    "fhir.expected_number": _("FHIR R4 has a number here, without quotes; there is something else."),
    "fhir.expected_boolean": _("FHIR R4 has true or false here, without quotes; there is something else."),
    "fhir.not_understood": _("The resource is not built as FHIR R4 says."),
    "fhir.missing": _("This is required and missing."),
    "fhir.not_a_date": _(
        "Not a FHIR date or time. Write it as 2026, 2026-03, 2026-03-31 or 2026-03-31T09:30:00+08:00."
    ),
    "fhir.not_a_number": _("Not a number."),
    "fhir.no_patient": _("It does not say which patient it is about."),
    "fhir.not_about_a_patient": _("It is about a %(type)s, not about a patient."),
    "fhir.no_code": _("It says neither a code nor a text for what it is about."),
    "fhir.no_name": _("There is no name."),
    # kept, but look at it
    "fhir.id_too_long": _("The id is longer than the 64 characters that FHIR allows; it was kept."),
    "fhir.time_without_zone": _("The time has no zone; the clinic's zone was taken."),
    "fhir.unknown_code": _("“%(value)s” is no code that FHIR R4 has here; “%(taken)s” was taken."),
    "fhir.no_name_placeholder": _("The patient has no name; a placeholder was taken."),
    "fhir.replaced_patient": _("The source says that this patient was merged into another; merge them here by hand."),
    "fhir.end_before_start": _("It ends before it starts; both were kept."),
    "fhir.contact_without_name": _("A contact person has no name and was left out."),
    "fhir.not_kept": _("%(count)d of type %(type)s were read and not kept: they are about no patient."),
}

register(REASONS)
