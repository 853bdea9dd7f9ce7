"""Pages of the waiting room that need no sign-in: a patient's number, check-in by the clinic's code, the screens."""

from django.urls import path

from careloop.portal.queue import views

app_name = "queue_pages"
urlpatterns = [
    path("p/q/here/<str:code>/", views.here, name="here"),
    path("p/q/<str:token>/", views.number, name="number"),
    path("p/q/<str:token>/now/", views.number_now, name="number_now"),
    path("p/tv/<str:token>/", views.screen, name="screen"),
    path("p/tv/<str:token>/now/", views.screen_now, name="screen_now"),
]
