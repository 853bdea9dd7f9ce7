"""Pages of the staff area, a folder for each job: urls.py, views.py, forms.py."""
