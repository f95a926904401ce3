from django.conf import settings
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from documents.models import Document


@require_http_methods(["GET", "POST"])
def index(request):
    if request.method == "POST":
        slug = request.POST["slug"]
        Document.objects.update_or_create(slug=slug, defaults={"title": request.POST["title"]})
        return redirect("index")
    return _page(request, "documents/index.html", documents=Document.objects.order_by("slug"))


@require_http_methods(["GET", "POST"])
def document(request, slug):
    found = get_object_or_404(Document, slug=slug)
    if request.method == "POST":
        found.title = request.POST["title"]
        found.text = request.POST["text"]
        found.save()
        return redirect("document", slug)
    return _page(request, "documents/document.html", document=found)


def _page(request, name, **context):
    return render(request, name, {"radio": settings.RADIO["url"], **context})
