from django.urls import path

from careloop.web.screens.imports import views

app_name = "imports"
urlpatterns = [
    path("imports/", views.batches, name="list"),
    path("imports/new/", views.upload, name="new"),
    path("imports/<uuid:batch_id>/", views.batch, name="batch"),
    path("imports/<uuid:batch_id>/prepare/", views.prepare, name="prepare"),
    path("imports/<uuid:batch_id>/progress/", views.progress, name="progress"),
    path("imports/<uuid:batch_id>/start/", views.start, name="start"),
    path("imports/<uuid:batch_id>/stop/", views.stop, name="stop"),
    path("imports/<uuid:batch_id>/undo/", views.undo, name="undo"),
    path("imports/<uuid:batch_id>/discard/", views.discard, name="discard"),
    path("imports/<uuid:batch_id>/refused.csv", views.refused, name="refused"),
]
