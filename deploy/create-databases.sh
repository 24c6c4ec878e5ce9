#!/usr/bin/env bash
# Gives each service a database of its own and the one role that may connect to it. The postgres image runs
# this when its volume is new; after a service or a password was added, run it again:
#   docker compose exec postgres /docker-entrypoint-initdb.d/create-databases.sh
set -euo pipefail

for database in messaging presence notification appointment; do
  # Through a file and psql's own quoting: on a command line everybody on the machine could read the password.
  PASSWORD_FILE="${SECRETS_DIR:-/run/secrets}/$database-database-password" \
    psql --no-psqlrc --set ON_ERROR_STOP=1 --set database="$database" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set password `cat "$PASSWORD_FILE"`
select format('create role %I login', :'database')
where not exists (select from pg_roles where rolname = :'database') \gexec
alter role :"database" password :'password';
select format('create database %I owner %I', :'database', :'database')
where not exists (select from pg_database where datname = :'database') \gexec
revoke all on database :"database" from public;
SQL
done
