#!/usr/bin/env bash
# Makes every secret that docker-compose.yml names, each a file of deploy/secrets/ (or of the folder given).
# One that is there already is left as it is: put your own in before, or replace one and restart what reads it.
set -euo pipefail
umask 077

folder="${1:-$(dirname "${BASH_SOURCE[0]}")/secrets}"
mkdir -p "$folder"

# Compose mounts each file as it is, and the users inside the containers (node, postgres) are none of this
# machine's. So the files can be read by anybody, and the folder, which only its owner may enter, protects them.
chmod 0700 "$folder"

random_base64() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
random_hex() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

# secret <name> <command that prints it>…
secret() {
  local name="$1" file="$folder/$1"
  shift
  if [[ -e "$file" ]]; then
    echo "kept $name"
    return
  fi
  "$@" >"$file.new"
  chmod 0444 "$file.new"
  mv "$file.new" "$file"
  echo "made $name"
}

for user in gateway messaging-service presence-service notification-service appointment-service provisioner back-office ops; do
  secret "nats-$user" random_hex
done

database_url() { printf 'postgresql://%s:%s@postgres:5432/%s' "$1" "$(cat "$folder/$1-database-password")" "$1"; }
secret postgres-password random_hex
for database in messaging presence notification appointment; do
  secret "$database-database-password" random_hex
  secret "$database-database-url" database_url "$database"
done

content_keys() { printf '%s:%s' "$(date -u +%Y-%m)" "$(random_base64)"; }
secret jwt-secret random_base64
secret content-keys content_keys
secret body-hash-key random_base64
secret notification-content-keys content_keys
secret notification-hash-key random_base64
