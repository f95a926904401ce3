from importlib import import_module

from django.apps import AppConfig


class Documents(AppConfig):
    name = "documents"

    def ready(self):
        # They connect themselves, once there are models.
        import_module("documents.signals")
