"""Addresses of the messages' screens."""

from django.urls import path

from careloop.web.screens.messages import listing, phone, templating, writing

app_name = "messaging"
urlpatterns = [
    path("messages/", listing.messages, name="list"),
    path("messages/answers/", listing.answers, name="answers"),
    path("messages/templates/", templating.templates, name="templates"),
    path("messages/templates/new/", templating.new, name="template_new"),
    path("messages/templates/<uuid:template_id>/", templating.template, name="template"),
    path("messages/templates/<uuid:template_id>/preview/", templating.previews, name="previews"),
    path("messages/templates/<uuid:template_id>/publish/", templating.publish, name="publish"),
    path("messages/templates/<uuid:template_id>/archive/", templating.archive, name="archive"),
    path("messages/with/<uuid:patient_id>/", writing.conversation, name="conversation"),
    path("messages/phones/", phone.phones, name="phones"),
    path("messages/phones/<uuid:patient_id>/<str:channel>/", phone.phone, name="phone"),
    path("messages/phones/<uuid:patient_id>/<str:channel>/say/", phone.say, name="say"),
    path("messages/<uuid:message_id>/", listing.page, name="page"),
    path("messages/<uuid:message_id>/cancel/", listing.cancel, name="cancel"),
    path("messages/<uuid:message_id>/retry/", listing.retry, name="retry"),
    path("messages/<uuid:message_id>/resolve/", listing.resolve, name="resolve"),
]
