#!/bin/sh
# Starts webapi: tells what is in the image, writes the settings of this environment, becomes Tomcat.
#
# WEBAPI_SETTINGS     the file that confd writes and the app reads (default /etc/webapi/webapi.properties; keep it equal to
#                     `dest` in conf.d/webapi.toml)
# WEBAPI_CONFIG_WAIT  seconds to wait for a config centre that does not answer (default 30)
set -eu

tomcat=${CATALINA_HOME:-/usr/local/tomcat}
settings=${WEBAPI_SETTINGS:-/etc/webapi/webapi.properties}
wait_s=${WEBAPI_CONFIG_WAIT:-30}

say() {
    printf 'webapi: %s\n' "$*"
}

die() {
    printf 'webapi: ERROR: %s\n' "$*" >&2
    exit 1
}

# The image holds the WAR unpacked, in layers. The build's own checksum of the archive is carried along; the content
# checksum is taken now, from the files that will run, and can be computed from the archive as well.
print_checksums() {
    [ -r "$tomcat/webapi.war.md5" ] || die "$tomcat/webapi.war.md5 is missing: the image was not built as a whole"
    read -r war_md5 _ <"$tomcat/webapi.war.md5" || [ -n "$war_md5" ] || die "$tomcat/webapi.war.md5 is empty"
    say "WAR md5 $war_md5"
    content_md5=$(
        cd "$tomcat/webapps/ROOT" &&
            find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r md5sum | md5sum
    ) || die "cannot read the app's files below $tomcat/webapps/ROOT"
    say "content md5 ${content_md5%% *}"
}

# One run of confd; its log is printed, and kept in $log.
run_confd() {
    if log=$(confd -onetime -backend redis -node configCenter:6379 2>&1); then
        rc=0
    else
        rc=$?
    fi
    printf '%s\n' "$log"
    return "$rc"
}

# A config centre that cannot be reached may come back; anything else, like a missing key, will not by waiting.
is_unreachable() {
    printf '%s\n' "$log" |
        grep -q -E 'dial tcp|connection refused|connection reset|i/o timeout|no such host|no route to host|LOADING|: EOF'
}

write_settings() {
    case $wait_s in
        '' | *[!0-9]*) die "WEBAPI_CONFIG_WAIT must be a number of seconds, not '$wait_s'" ;;
    esac
    command -v confd >/dev/null || die "confd is not in the image"
    # confd exits 0 when it has nothing to do: only a file that was not there before proves that it wrote one.
    mkdir -p "${settings%/*}"
    rm -f "$settings"
    deadline=$(($(date +%s) + wait_s))
    until run_confd; do
        is_unreachable || die "confd could not write $settings (exit code $rc): see its message above"
        [ "$(date +%s)" -lt "$deadline" ] ||
            die "config centre configCenter:6379 not reachable for ${wait_s}s (confd exit code $rc)"
        say "config centre configCenter:6379 is not reachable, trying again"
        sleep 1
    done
    [ -s "$settings" ] || die "confd ended well but wrote no $settings: are its files in /etc/confd?"
}

print_checksums
write_settings
exec "$tomcat/bin/catalina.sh" run
