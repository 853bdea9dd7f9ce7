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
    "benefit_offer": _(
        "“%(text)s” is a benefit of value for patients. Clinics may not announce it; for members only it needs a sign-off."
    ),
    "health_action": _(
        "“%(text)s” rewards something other than a visit or a purchase with something other than care. "
        "Whether that is lawful is not settled, so a named person takes responsibility for it."
    ),
    "not_low_value": _("“%(text)s” is worth too much to be a small service; what is worth more counts as a gift."),
    "free_care": _("“%(text)s” gives care away as a present, which clinics may not do."),
    "draw": _("“%(text)s”: clinics may not announce draws; for members only it needs a sign-off."),
    "tier_gift": _(
        "“%(text)s” is a present for reaching a tier. A tier may change service, not hand out goods or points."
    ),
    "tier_gift_words": _("“%(text)s” promises a present or a lower price for a tier."),
    "tier_price": _("“%(text)s”: a tier may change service, never the price of care."),
    "referral": _("“%(text)s”: whoever brings patients may be thanked, not paid."),
    "referral_words": _("“%(text)s” promises something of value for bringing patients; thanks are allowed."),
    "review": _("“%(text)s”: reviews, likes and shares may be asked for, not paid for."),
    "review_words": _(
        "“%(text)s” pays for a review, a like or a share; asking every patient for an opinion is allowed."
    ),
    "copay": _("“%(text)s”: the co-payment is set by law and may not be given away."),
    "copay_words": _("“%(text)s” gives away the co-payment, which is set by law."),
    "no_rules_known": _(
        "“%(text)s”: the program knows no rule of mainland China about this. Somebody who knows the law there "
        "decides, and signs for it."
    ),
    "price_by_program": _(
        "“%(text)s”: what a program decides about people may not lead to unreasonable differences in price."
    ),
    "nhi": _("“%(text)s”: care that health insurance pays may earn nothing."),
    "nhi_words": _("“%(text)s” promises something for care that health insurance pays."),
}

# What kind of thing a rule judges, for the list of rules in force.
SUBJECTS: dict[str, str | Promise] = {
    "message": _("Wording of a message"),
    "segment": _("Choice of patients"),
    "consent": _("Question for consent"),
    "recipient": _("Person written to"),
    "timing": _("Time and number"),
    "offer": _("What membership offers"),
}
