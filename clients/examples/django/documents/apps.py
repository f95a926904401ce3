from django.apps import AppConfig


class Documents(AppConfig):
    name = "documents"

    def ready(self):
        pass  # noqa: F401, PLC0415: it connects itself, once models are there
