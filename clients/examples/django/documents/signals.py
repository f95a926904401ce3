"""What is told of documents: after the transaction, since one that is rolled back never was."""

from functools import partial

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from documents.models import Document
from documents.radio import tell


@receiver(post_save, sender=Document)
def saved(instance, created, **_):
    message = {"action": "create" if created else "update", "slug": instance.slug, "title": instance.title}
    transaction.on_commit(partial(tell, message))


@receiver(post_delete, sender=Document)
def deleted(instance, **_):
    transaction.on_commit(partial(tell, {"action": "delete", "slug": instance.slug}))
