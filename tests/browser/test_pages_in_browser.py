"""Every page of the book in a real browser."""


def test_a_page_opens_from_the_disk(open_page):
    page = open_page("intro.html", width=390, dark=True)
    assert "ImageNet" in page.title() and not page.outside
