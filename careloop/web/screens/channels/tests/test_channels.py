"""Connecting channels: secrets go in and never come out."""

from careloop.messaging.models import ChannelAccount

GIVEN = {
    "name": "LINE", "set_access_token": "tok-very-secret", "set_channel_secret": "sec-very-secret", "set_bot_user_id": "",
    "enabled": "on", "is_default": "on", "monthly_budget": "",
}  # fmt: skip


def test_an_account_is_connected_and_its_secrets_are_not_shown(client_for, organization):
    it = client_for("it")

    saved = it.post("/settings/channels/new/line/", GIVEN, follow=True)

    account = ChannelAccount.objects.get()
    assert saved.status_code == 200
    assert account.is_default
    assert "very-secret" not in saved.content.decode()
    assert "very-secret" not in str(account.settings)
    assert b"very-secret" not in bytes(account.secrets_sealed)
    assert f"/hooks/line/{account.pk}" in saved.content.decode()


def test_an_empty_secret_keeps_the_stored_one(client_for, organization):
    from careloop.messaging.channels import opened_settings

    it = client_for("it")
    it.post("/settings/channels/new/line/", GIVEN)
    account = ChannelAccount.objects.get()

    it.post(
        f"/settings/channels/{account.pk}/",
        {**GIVEN, "name": "LINE 2", "set_access_token": "", "set_channel_secret": ""},
    )

    account.refresh_from_db()
    assert account.name == "LINE 2"
    assert opened_settings(account)["access_token"] == "tok-very-secret"


def test_a_budget_beyond_all_measure_is_refused_in_the_form(client_for, organization):
    answer = client_for("it").post("/settings/channels/new/line/", {**GIVEN, "monthly_budget": "99999999999999999999"})

    assert answer.status_code == 422
    assert not ChannelAccount.objects.exists()


def test_the_sandbox_can_be_added_and_paused(client_for, organization):
    it = client_for("it")

    it.post(
        "/settings/channels/new/sandbox/", {"name": "手機", "set_plays": "sms", "enabled": "on", "is_default": "on"}
    )
    account = ChannelAccount.objects.get()
    assert account.channel == "sms"
    it.post(f"/settings/channels/{account.pk}/check/")
    it.post(f"/settings/channels/{account.pk}/pause/")

    account.refresh_from_db()
    assert account.check_ok is True
    assert account.pause_reason == "staff"
    assert it.get("/settings/channels/").status_code == 200


def test_who_may_not_connect_channels_cannot_see_them(client_for, organization):
    assert client_for("nurse").get("/settings/channels/").status_code == 403
