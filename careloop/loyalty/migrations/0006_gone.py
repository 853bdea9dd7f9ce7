"""What turns out never to have been is taken back; tickets of who was erased belong to nobody and stay in the list."""

import django.db.models.deletion
from django.db import migrations, models

from careloop.loyalty.points.functions import posting

# row-level security binds the owner too: only the running organization's tickets
FORGET = """
declare
    gone int;
begin
    update loyalty_draw_ticket t set account_id = null from loyalty_account a
     where a.id = t.account_id and a.patient_id = of_patient;
    get diagnostics gone = row_count;
    return gone;
end
"""


BECAUSE = [
    ("CAPPED", "the limit was reached"),
    ("TOO_LITTLE", "the amount is too small for a point"),
    ("COUNTED", "the same bill has counted already"),
    ("NHI", "the NHI shared this visit"),
    ("PAYER_UNKNOWN", "nothing says that the patient paid for this visit alone"),
    ("REFUNDED", "the money went back"),
    ("ERROR", "it was entered in error"),
    ("CALLED_OFF", "the visit was called off"),
    ("UNDONE", "the friend was not here after all"),
    ("NOT_CLOSED", "the visit was never closed"),
    ("LEFT", "the membership ended before"),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0005_draws_held")]

    operations = [
        migrations.AddField("referral", "times_undone", models.PositiveSmallIntegerField(
            db_default=0, default=0, help_text="how often a visit that completed it turned out never to have been")),
        migrations.AlterField("earning", "because", models.CharField(
            blank=True, choices=BECAUSE, db_default="", default="", max_length=14)),
        migrations.AlterField("drawticket", "account", models.ForeignKey(
            db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.account")),
        posting("loyalty_forget_tickets", "of_patient uuid", FORGET, "int"),
    ]  # fmt: skip
