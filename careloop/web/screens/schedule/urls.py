"""Addresses of the schedule's screens."""

from django.urls import path

from careloop.web.screens.schedule import advice, appointments, board, booking, calendar, planning, setup

app_name = "schedule"
urlpatterns = [
    path("schedule/", calendar.home, name="home"),
    path("schedule/find/", booking.find, name="find"),
    path("schedule/book/", booking.book, name="book"),
    path("schedule/missed/", advice.missed, name="missed"),
    path("schedule/demand/", advice.demand, name="advice"),
    path("schedule/appointments/<uuid:appointment_id>/", appointments.page, name="appointment"),
    path("schedule/appointments/<uuid:appointment_id>/move/", appointments.move, name="move"),
    path("schedule/appointments/<uuid:appointment_id>/move/check/", appointments.move_check, name="move_check"),
    path("schedule/appointments/<uuid:appointment_id>/cancel/", appointments.cancel, name="cancel"),
    path("schedule/appointments/<uuid:appointment_id>/error/", appointments.err, name="err"),
    path("schedule/appointments/<uuid:appointment_id>/<slug:step>/", appointments.step, name="step"),
    path("schedule/sessions/new/", board.new, name="session_new"),
    path("schedule/sessions/<uuid:session_id>/", board.page, name="session"),
    path("schedule/sessions/<uuid:session_id>/close/", board.close, name="session_close"),
    path("schedule/sessions/<uuid:session_id>/reopen/", board.reopen, name="session_reopen"),
    path("schedule/sessions/<uuid:session_id>/substitute/", board.substitute, name="session_substitute"),
    path("schedule/sessions/<uuid:session_id>/finish/", board.finish, name="session_finish"),
    path("schedule/set-up/", setup.home, name="setup"),
    path("schedule/set-up/services/", setup.services, name="services"),
    path("schedule/set-up/services/new/", setup.service, name="service_new"),
    path("schedule/set-up/services/<uuid:service_id>/", setup.service, name="service"),
    path("schedule/set-up/rooms/", setup.resources, name="resources"),
    path("schedule/set-up/rooms/new/", setup.resource, name="resource_new"),
    path("schedule/set-up/rooms/<uuid:resource_id>/", setup.resource, name="resource"),
    path("schedule/set-up/practitioners/", setup.practitioners, name="practitioners"),
    path("schedule/set-up/practitioners/new/", setup.practitioner, name="practitioner_new"),
    path("schedule/set-up/practitioners/<uuid:practitioner_id>/", setup.practitioner, name="practitioner"),
    path("schedule/set-up/week/", planning.week, name="week"),
    path("schedule/set-up/week/new/", planning.template, name="template_new"),
    path("schedule/set-up/week/<uuid:template_id>/", planning.template, name="template"),
    path("schedule/set-up/week/<uuid:template_id>/end/", planning.end, name="template_end"),
    path("schedule/set-up/absences/", planning.absences, name="absences"),
    path("schedule/set-up/absences/new/", planning.absence_new, name="absence_new"),
    path("schedule/set-up/absences/<uuid:absence_id>/", planning.absence, name="absence"),
    path("schedule/set-up/absences/<uuid:absence_id>/remove/", planning.absence_remove, name="absence_remove"),
    path("schedule/set-up/days/", planning.days, name="days"),
    path("schedule/set-up/days/one/", planning.day, name="day"),
]
