#!/bin/sh
# Install the servers that the tests start themselves (PostgreSQL, Redis, RabbitMQ), Tesseract with German, Arabic and
# Thai, LibreOffice, fonts and Pango, which draw pages in many scripts, and promtool, which checks alert rules. No service
# is started and no PostgreSQL cluster is created.
set -eu

has_postgres() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

missing=
has_postgres || missing="$missing postgresql"
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v rabbitmq-server >/dev/null || [ -x /usr/sbin/rabbitmq-server ] || missing="$missing rabbitmq-server"
command -v promtool >/dev/null || missing="$missing prometheus"
has_language() { ls /usr/share/tesseract-ocr/*/tessdata/"$1".traineddata >/dev/null 2>&1; }
command -v tesseract >/dev/null || missing="$missing tesseract-ocr"
for language in deu ara tha; do
    has_language "$language" || missing="$missing tesseract-ocr-$language"
done
office=/usr/lib/libreoffice/program
has_office() { [ -e $office/soffice.bin ] && [ -e "$office/$1" ]; }
has_office libswlo.so || missing="$missing libreoffice-writer-nogui"
has_office libsclo.so || missing="$missing libreoffice-calc-nogui"
has_office libsdlo.so || missing="$missing libreoffice-impress-nogui libreoffice-draw-nogui"
command -v pango-view >/dev/null || missing="$missing pango1.0-tools"
has_font() { ls /usr/share/fonts/truetype/$1 >/dev/null 2>&1; }
has_font "dejavu/DejaVuSans.ttf" || missing="$missing fonts-dejavu-core"
has_font "lohit-devanagari/*.ttf" || missing="$missing fonts-lohit-deva"
has_font "tlwg/Loma.ttf" || missing="$missing fonts-tlwg-loma-ttf"
has_font "wqy/wqy-microhei.ttc" || missing="$missing fonts-wqy-microhei"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "The tests need these programs:$missing. Install them (Debian, Ubuntu: sudo apt-get install$missing) and run make test again." >&2
    exit 1
fi

echo "Installing for the tests:$missing" >&2
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # Debian: install, but do not start services
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
cluster=/etc/postgresql-common/createcluster.conf
if [ ! -e "$cluster" ]; then
    mkdir -p "${cluster%/*}"
    echo "create_main_cluster = false" >"$cluster"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $missing >&2
