// Copyright (c) 2026, Slipway contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.TreeMap;

/** Reads texts, one a line in base64, as java.util.Properties does; answers each with its key and value pairs in base64. */
class Oracle {
    public static void main(String[] arguments) throws Exception {
        BufferedReader texts = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = texts.readLine(); line != null; line = texts.readLine()) {
            java.util.Properties found = new java.util.Properties();
            StringBuilder answer = new StringBuilder();
            try {
                found.load(new StringReader(new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8)));
                for (Object key : new TreeMap<>(found).keySet()) {
                    answer.append(coded((String) key)).append('=').append(coded((String) found.get(key))).append(' ');
                }
            } catch (IllegalArgumentException refused) {
                answer.append("refused");
            }
            System.out.println(answer.toString().trim());
        }
    }

    private static String coded(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
