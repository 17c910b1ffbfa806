#!/bin/sh
# A lab starts many small Tomcats on few cores: compile little, collect with one thread. JAVA_OPTS stays the user's.
CATALINA_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${CATALINA_OPTS:-}"
