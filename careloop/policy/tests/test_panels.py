"""The panels that settings and the template editor include."""

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from careloop.accounts.models import Membership
from careloop.policy import selectors, services
from careloop.policy.answers import Answer


@pytest.mark.parametrize("language", ["zh-hant", "zh-hans", "en"])
def test_the_rules_are_listed_with_their_legal_base(organization, member_of, now, language):
    officer = Membership.objects.get(user=member_of("privacy_officer", name="林怡君"))
    services.override_rule(
        organization=organization, rule_id="A1-B", answer=Answer.BLOCK, reason="<b>法務</b>意見", by=officer, now=now
    )
    rules = selectors.organization_rules(organization=organization, on=now.date())

    with translation.override(language):
        page = render_to_string("policy/_rules.html", {"rules": rules})

    for item in rules:
        assert item.rule.id in page
    assert "醫療法第61條" in page
    assert "林怡君" in page
    assert "&lt;b&gt;法務" in page


def test_a_verdict_shows_the_words_as_text(organization):
    verdict = services.check_text(
        "<script>初診好禮</script>", message_class="CARE", channel="line", organization=organization
    )

    with translation.override("en"):
        panel = render_to_string("policy/_verdict.html", {"verdict": verdict})

    assert "“好禮”" in panel
    assert "This message counts as: Marketing." in panel
    assert "<script>" not in panel


@pytest.mark.parametrize(("language", "word"), [("zh-hant", "退訂"), ("zh-hans", "拒收"), ("en", "refuse")])
def test_the_sentences_speak_three_languages(organization, language, word):
    verdict = services.check_text("星期六也看診", message_class="MARKETING", channel="line", organization=organization)

    with translation.override(language):
        assert word in str(verdict.matches[0].message)
