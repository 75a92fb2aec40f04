"""The pages of a Django project that the gateway is mounted beside."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def own(request: HttpRequest) -> HttpResponse:
    """A page of the project itself."""
    return HttpResponse(b"own")


urlpatterns = [path("own", own)]
