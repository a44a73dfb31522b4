//! Names of secrets: which names of fields denote one.

use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

/// Names of secrets without separators: a word of a name contains one, or consecutive words of a name make one up.
const PARTS: [&str; 46] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passkey",
    "pswd",
    "pwd",
    "secret",
    "token",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "credential",
    "sessionid",
    "securitycode",
    "verificationcode",
    "creditcard",
    "debitcard",
    "bankcard",
    "cardnumber",
    "cvv",
    "jwt",
    "passwort",
    "contrasena",
    "contraseña",
    "motdepasse",
    "парол",
    "パスワード",
    "비밀번호",
    "密码",
    "密碼",
    "口令",
    "验证码",
    "驗證碼",
    "校验码",
    "校驗碼",
    "动态码",
    "動態碼",
    "令牌",
    "密钥",
    "密鑰",
    "私钥",
    "私鑰",
];

/// Names of secrets that only whole words make up, since other words contain them.
const PHRASES: [&str; 19] = [
    "cardno",
    "cardnum",
    "cardcvc",
    "cardcode",
    "cardpin",
    "setcookie",
    "sessioncookie",
    "authcookie",
    "userpass",
    "loginpass",
    "adminpass",
    "newpass",
    "oldpass",
    "currentpass",
    "confirmpass",
    "mypass",
    "dbpass",
    "smsotp",
    "onetimecode",
];

/// Abbreviations and short words that denote a secret as a word of a name.
const WORDS: [&str; 5] = ["otp", "totp", "cvc", "ssn", "senha"];

/// Words that denote a secret only as the last of a name: `pass_through` and `2fa_enabled` are no secrets.
const LAST: [&str; 3] = ["pass", "2fa", "parola"];

/// Names that denote a secret only as the whole name of a field: `postal_code` and `business_card` are no secrets.
const WHOLE: [&str; 7] = ["code", "pin", "pass", "auth", "card", "cookie", "cookies"];

/// Words that make a code of sign-in of the word `code` beside them.
const CODES: [&str; 20] = [
    "2fa",
    "access",
    "activation",
    "auth",
    "backup",
    "invitation",
    "invite",
    "login",
    "mfa",
    "otp",
    "owner",
    "pin",
    "recovery",
    "reset",
    "security",
    "signin",
    "sms",
    "totp",
    "verification",
    "verify",
];

/// Beginnings of ordinary words that contain one of [`PARTS`].
const ORDINARY: [&str; 1] = ["secretar"];

/// The plural that denotes a secret only as the last word: `tokens_per_month` is no secret.
const TOKENS: &str = "tokens";

/// Signs that separate names from values, and so show that a name holds more than a name.
const SIGNS: [char; 5] = ['{', '}', '"', ':', '='];

/// How often a name may be percent-encoded.
const ENCODINGS: usize = 4;

/// The most bytes of a name. Longer ones count as secrets without being read.
pub(crate) const NAME_BYTES: usize = 600;

/// Whether the name of a field denotes a secret. Names are compared decoded, in lower case and without separators. A
/// name of more than 600 bytes counts as one, also if it is that long in NFKC only.
pub fn is_secret(name: &str) -> bool {
    if name.len() > NAME_BYTES {
        return true;
    }
    let name = normal(name);
    if name.len() > NAME_BYTES {
        return true;
    }
    let separates = |c: char| c == ',' || SIGNS.contains(&c);
    let denotes = |name: &str| is_whole(name) || Words::of(name).denote_secret();
    denotes(&name) || (name.contains(SIGNS) && name.split(separates).any(denotes))
}

/// Whether a name is longer than names are, or holds signs that separate names from values.
pub(super) fn holds_value(name: &str) -> bool {
    let is_end = |c: char| c == ':' || c.is_whitespace();
    name.len() > NAME_BYTES || normal(name).trim_end_matches(is_end).contains(SIGNS)
}

/// A name as it is compared with other names: decoded, in NFKC and lower case, without invisible characters.
pub(super) fn plain(name: &str) -> String {
    normal(name).to_lowercase()
}

/// A text without percent-encoding, even if it is encoded several times; `+` is a blank.
pub(super) fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..ENCODINGS {
        if !text.contains(['%', '+']) {
            break;
        }
        let spaced = text.replace('+', " ");
        text = percent_decode_str(&spaced).decode_utf8_lossy().into_owned();
    }
    text
}

/// A name decoded and in NFKC, without invisible characters.
fn normal(name: &str) -> String {
    let name = decoded(name);
    if name.is_ascii() {
        return name;
    }
    let is_invisible = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    // One character may become 18.
    name.as_str().nfkc().filter(|c| !is_invisible(*c)).take(NAME_BYTES + 1).collect()
}

/// Whether the last segment of a name is one of [`WHOLE`].
fn is_whole(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| !c.is_alphanumeric());
    let last = name.rsplit(['.', '[', '/', '?']).next().unwrap_or_default();
    let last: String = last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    WHOLE.contains(&last.as_str())
}

/// The words of a name. Judging them takes time in proportion to the name's length, whatever its words are.
struct Words {
    /// The letters and digits, in lower case.
    text: String,
    /// Where words begin, and where the last ends: words begin after separators, at capitals and at numbers.
    borders: Vec<usize>,
    /// Where words begin after separators.
    gaps: Vec<usize>,
}

impl Words {
    fn of(name: &str) -> Words {
        let mut words = Words { text: String::new(), borders: Vec::new(), gaps: Vec::new() };
        let mut before: Option<char> = None;
        let mut chars = name.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_alphanumeric() {
                let at = words.text.len();
                if before.is_none() {
                    words.gaps.push(at);
                }
                if before.is_none_or(|before| begins_word(before, c, chars.peek().copied())) {
                    words.borders.push(at);
                }
                words.text.extend(c.to_lowercase());
            }
            before = Some(c).filter(|c| c.is_alphanumeric());
        }
        words.borders.push(words.text.len());
        words
    }

    fn denote_secret(&self) -> bool {
        let begins_secret = |(at, _): (usize, char)| {
            let rest = &self.text[at..];
            let is_part = |part: &&str| {
                let to = at + part.len();
                rest.starts_with(*part) && (self.is_in_word(at, to) || self.is_words(at, to)) && !self.is_ordinary(at)
            };
            let is_phrase = |phrase: &&str| rest.starts_with(*phrase) && self.is_words(at, at + phrase.len());
            PARTS.iter().any(is_part) || PHRASES.iter().any(is_phrase)
        };
        self.text.char_indices().any(begins_secret) || self.have_word() || self.have_code()
    }

    /// Whether a word is one of [`WORDS`], or the last one of [`LAST`], apart from numbers.
    fn have_word(&self) -> bool {
        let without_number = |word: &str| word.trim_start_matches(char::is_numeric).to_owned();
        let last = self.list().rev().find(|word| !word.chars().all(char::is_numeric)).unwrap_or_default();
        self.list().any(|word| WORDS.contains(&without_number(word).as_str()))
            || LAST.contains(&last)
            || LAST.contains(&without_number(last).as_str())
    }

    /// Whether a word is a code of sign-in, or the word `code` is beside one of [`CODES`].
    fn have_code(&self) -> bool {
        let is_code = |word: &str| matches!(word, "code" | "codes");
        let are_code = |first: &str, second: &str| {
            (is_code(first) && CODES.contains(&second)) || (is_code(second) && CODES.contains(&first))
        };
        // The Indian postal code is called pincode.
        let is_joined = |word: &str| {
            let kind = word.strip_suffix("codes").or_else(|| word.strip_suffix("code"));
            kind.is_some_and(|kind| kind != "pin" && CODES.contains(&kind))
        };
        let mut pairs = self.list().zip(self.list().skip(1));
        pairs.any(|(first, second)| are_code(first, second)) || self.list().any(is_joined)
    }

    fn list(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.borders.windows(2).map(move |word| &self.text[word[0]..word[1]])
    }

    /// Whether an ordinary word, or a plural before other words, begins at a place.
    fn is_ordinary(&self, at: usize) -> bool {
        let rest = &self.text[at..];
        let is_plural = |after: &str| self.is_border(at + TOKENS.len()) && after.contains(char::is_alphabetic);
        ORDINARY.iter().any(|ordinary| rest.starts_with(ordinary)) || rest.strip_prefix(TOKENS).is_some_and(is_plural)
    }

    /// Whether no separator is between two places.
    fn is_in_word(&self, from: usize, to: usize) -> bool {
        let next = self.gaps.partition_point(|gap| *gap <= from);
        self.gaps.get(next).is_none_or(|gap| *gap >= to)
    }

    /// Whether whole words are between two places, also in the plural.
    fn is_words(&self, from: usize, to: usize) -> bool {
        let is_plural = || self.text[to..].starts_with('s') && self.is_border(to + 1);
        self.is_border(from) && (self.is_border(to) || is_plural())
    }

    fn is_border(&self, at: usize) -> bool {
        self.borders.binary_search(&at).is_ok()
    }
}

/// Whether a word begins at a character: at the capitals of `userPwd` and `JWTValue`, and at the digit of `cvv2`.
fn begins_word(before: char, c: char, next: Option<char>) -> bool {
    let is_number = c.is_numeric() && !before.is_numeric();
    let is_capital = c.is_uppercase() && before.is_alphabetic() && !before.is_uppercase();
    let ends_capitals = c.is_uppercase() && before.is_uppercase() && next.is_some_and(char::is_lowercase);
    is_number || is_capital || ends_capitals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "Password",
            "new_password",
            "user[password]",
            "user.password",
            "pass word",
            "pass-word",
            "p%61ssword",
            "p%2561ssword",
            "pass+word",
            "passWord",
            "ｐａｓｓｗｏｒｄ",
            "pass\u{200b}word",
            "p.a.s.s.w.o.r.d",
            "passwd",
            "pswd",
            "pwd",
            "user_pwd",
            "userPwd",
            "newPwd",
            "userpwd",
            "passphrase",
            "passcode",
            "passkey",
            "pass1",
            "user_pass",
            "userpass",
            "loginPass",
            "client-secret",
            "secret_key",
            "refresh_token",
            "accessToken",
            "tokens",
            "access_tokens",
            "Authorization",
            "api-key",
            "api_keys",
            "API Key",
            "x-api-key-id",
            "encryption_key",
            "signingKey",
            "private_key",
            "cookie",
            "user.cookie",
            "set-cookie",
            "sessionCookie",
            "card",
            "credit_card_number",
            "creditCard",
            "debit_card",
            "bankCard",
            "card_number",
            "cardNo",
            "card-cvc",
            "credentials",
            "session-id",
            "code",
            "user[code]",
            "pin",
            "otp",
            "otp_code",
            "otpCode",
            "smsOtp",
            "smsOTPCode",
            "totp",
            "cvv",
            "cvv2",
            "CVC",
            "pass",
            "auth",
            "ssn",
            "jwt",
            "jwtValue",
            "JWTValue",
            "2fa",
            "user_2fa",
            "2fa_code",
            "auth_code",
            "sms_code",
            "smscode",
            "mfa_code",
            "access_code",
            "pin_code",
            "securityCode",
            "verification_code",
            "verifyCode",
            "owner_code",
            "inviteCode",
            "backup_codes",
            "recovery_codes",
            "login_code",
            "code_sms",
            "passwort",
            "contrasena",
            "contraseña",
            "contrasen\u{303}a",
            "senha",
            "nova_senha",
            "motdepasse",
            "mot_de_passe",
            "parola",
            "пароль",
            "Пароль",
            "パスワード",
            "비밀번호",
            "密码",
            "登录密码",
            "密碼",
            "口令",
            "短信验证码",
            "驗證碼",
            "校验码",
            "动态码",
            "令牌",
            "API密钥",
            "私钥",
            "{\"password\":\"x\"}",
            "{\"pin\":\"1\",\"a\":\"b\"}",
            "a=1,pin=2",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["x".repeat(NAME_BYTES + 1), "\u{fdfa}".repeat(40)] {
            assert!(is_secret(&name), "{name}");
        }
    }

    #[test]
    fn names_of_other_fields() {
        for name in [
            "",
            "%",
            "***",
            "name",
            "postal_code",
            "country_code",
            "promo_code",
            "area_code",
            "product_code",
            "owner[postal_code]",
            "author",
            "passenger",
            "compass",
            "compass_code",
            "bypass",
            "pass_through",
            "passport_number",
            "car_dealer",
            "business_card",
            "sim_card_count",
            "scorecard",
            "postcard",
            "cardboard_boxes",
            "Ricardo",
            "cookie_consent",
            "tokens_per_month",
            "tokensPerMonth",
            "2fa_enabled",
            "secretary",
            "discarded",
            "pincode_area",
            "keyword",
            "session",
            "message",
            "footprint",
            "businessName",
            "desenhar",
            "og:title",
            "a=b",
            "公司",
            "邮政编码",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
