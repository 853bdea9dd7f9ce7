"""What the rules say to people. Rules are data; their sentences are here so that translators find them.

Named placeholders: `text` is the matched wording, `fields` a list of field names.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, str | Promise] = {
    "benefit": _(
        "“%(text)s” promises a benefit for seeing a doctor. Clinics may not announce gifts, "
        "discounts, lotteries or free services."
    ),
    "price_cut": _("“%(text)s” is price-cut wording, which medical advertising may not use."),
    "superlative_banned": _(
        "“%(text)s” is a superlative, a ranking or a guarantee, which medical advertising may not use."
    ),
    "superlative_doubtful": _("“%(text)s” may be read as exaggeration; say what can be shown instead."),
    "looks_like_marketing": _("“%(text)s” makes this a marketing message, and it is treated as one."),
    "class_missing": _("Say what this message is: operational, care, education, survey or marketing."),
    "clinical_marketing": _(
        "A marketing segment may not read clinical data (%(fields)s) unless every member has "
        "given written consent to it."
    ),
    "bundled_consent": _("Ask for consent to marketing in a question of its own, apart from consent to care."),
    "no_way_to_refuse": _("A marketing message must offer a free way to refuse further ones."),
    "opted_out": _("This person has refused messages of this kind."),
    "names_an_illness": _(
        "“%(text)s” names an illness, and whoever sees the phone can read it. Send a link to read after signing in."
    ),
    "names_something_sensitive": _(
        "“%(text)s” is especially sensitive, and whoever sees the phone can read it. Send a "
        "link to read after signing in."
    ),
    "names_a_medicine": _(
        "“%(text)s” names a medicine, and whoever sees the phone can read it. Send a link to read after signing in."
    ),
    "tells_a_result": _(
        "“%(text)s” tells a test result, and whoever sees the phone can read it. Send a link to read after signing in."
    ),
    "hints_at_pregnancy": _("“%(text)s” tells of a pregnancy; make sure the phone is the patient's own."),
    "unregistered_contact": _(
        "“%(text)s” is not on your list of web addresses and telephone numbers registered for "
        "text messages; the carrier will not deliver it."
    ),
    "quiet_hours": _("Messages wait during quiet hours, and marketing messages are limited in number."),
    "sms_without_refusal_words": _("A commercial text message must say how to refuse further ones."),
    "no_one_click": _("A marketing e-mail must let its reader unsubscribe with one click (RFC 8058)."),
    "looks_like_government": _(
        "“%(text)s” looks like a government text message from 111, which a clinic may not imitate."
    ),
}

# What kind of thing a rule judges, for the list of rules in force.
SUBJECTS: dict[str, str | Promise] = {
    "message": _("Wording of a message"),
    "segment": _("Choice of patients"),
    "consent": _("Question for consent"),
    "recipient": _("Person written to"),
    "timing": _("Time and number"),
}
