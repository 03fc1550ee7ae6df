#!/bin/sh
# Collects the interface's words from code and templates, and brings every language's file up to them.
# Dates are left out, so that a run without new words changes nothing.
set -eu
cd "$(dirname "$0")/.."
pybabel=.venv/bin/pybabel

$pybabel --quiet extract -F pyproject.toml --project=pro --add-location=file --sort-output \
    --add-comments=Translators: --output-file=translations/messages.pot .
for words in translations/*/LC_MESSAGES/messages.po; do
    language=$(basename "$(dirname "$(dirname "$words")")")
    $pybabel --quiet update --input-file=translations/messages.pot --output-file="$words" --locale="$language" \
        --no-fuzzy-matching --ignore-obsolete
done
for file in translations/messages.pot translations/*/LC_MESSAGES/messages.po; do
    grep -v -e '^"POT-Creation-Date' -e '^"PO-Revision-Date' -e '^"Generated-By' "$file" >"$file.new"
    mv "$file.new" "$file"
done
