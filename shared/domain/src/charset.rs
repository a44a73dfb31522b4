//! Charsets of posted forms that don't name theirs.

use crate::choices;

choices! {
    /// A charset in which pages post forms, by its name in the WHATWG's Encoding Standard.
    Charset {
        /// Chinese, simplified; GBK and GB2312 are parts of it.
        Gb18030 = "gb18030",
        /// Chinese, simplified; read as GB18030.
        Gbk = "gbk",
        /// Chinese, traditional.
        Big5 = "big5",
        /// Japanese.
        ShiftJis = "shift_jis",
        /// Japanese, on Unix.
        EucJp = "euc-jp",
        /// Korean.
        EucKr = "euc-kr",
        /// Thai.
        Windows874 = "windows-874",
        /// Central European.
        Windows1250 = "windows-1250",
        /// Cyrillic.
        Windows1251 = "windows-1251",
        /// Western European; Latin 1 is a part of it.
        Windows1252 = "windows-1252",
        /// Greek.
        Windows1253 = "windows-1253",
        /// Turkish.
        Windows1254 = "windows-1254",
        /// Hebrew.
        Windows1255 = "windows-1255",
        /// Arabic.
        Windows1256 = "windows-1256",
        /// Baltic.
        Windows1257 = "windows-1257",
        /// Vietnamese.
        Windows1258 = "windows-1258",
        /// Russian, on Unix.
        Koi8R = "koi8-r",
    }
}
