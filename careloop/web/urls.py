"""Addresses of the shell itself; the screens of each slice have their own."""

from django.urls import path, re_path

from careloop.web import health, views

app_name = "web"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.show_metrics, name="metrics"),
    path("search/", views.search, name="search"),
    path("language/", views.language, name="language"),
    path("theme/", views.theme, name="theme"),
    re_path(r"^theme/(?P<colour>[0-9a-f]{6})\.css$", views.accent, name="accent"),
    path("gallery/", views.gallery, name="gallery"),
    path("gallery/confirm/", views.gallery_confirm, name="gallery_confirm"),
    path("gallery/progress/", views.gallery_progress, name="gallery_progress"),
    path("gallery/numbers.csv", views.gallery_csv, name="gallery_csv"),
]
