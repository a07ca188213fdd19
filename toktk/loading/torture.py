"""Texts on which engines are compared before one stands in for the other: all that tends to go wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toktk.pretokenizers.export import strangers
from toktk.pretokenizers.pretokenizer import Pretokenizer

TORTURE: tuple[str, ...] = (
    "",
    " ",
    "a",
    "The quick brown fox, aren't we? I'LL say: it's 3.14159 (or 22/7) — don't DON'T 'tis 'S 's.\n",
    "naïve café, Größe, Ærøskøbing, Łódź, İstanbul ısı, ﬁne ﬂow ſtill, ǅ ǆ, 1ª 2º ½ ² Ⅷ ㊿ 𝟘𝟙.",
    # The same words composed and decomposed, Hangul too, and marks in the wrong order.
    "\u00e9\u00fc\u1ed9\uac01 e\u0301u\u0308o\u0302\u0323o\u0323\u0302\u1100\u1161\u11a8 "
    "\u0344\u0958\u2126\u212b\u1e9b\u0323 a\u0315\u0300\u05ae\u0300b q\u0307\u0323",
    # Characters younger than the Unicode tables of some library.
    "a\u07fd\u0301 ka\u0898\u0316 \U00011935\U00011930 \U00011938\u0301 \ua7f2\U00010781\U0001fbf9 "
    "\u0e38\u0ec8\u0eba\u0301 \U0001e2ae\u0323 \u0334\u1ac0\u0345 \U000105d2\u0307",
    "z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍a\u0301\u0301\u0301 \u0301 \u0301",
    "Съешь ещё этих мягких французских булок. Ξεσκεπάζω τὴν ψυχοφθόρα, ΣΊΣΥΦΟΣ. Ծիծեռնակ. ქართული ენა.",
    "敏捷的棕色狐狸跳过了懒狗。いろはにほへと、カタカナ゛パﾊﾟ。다람쥐 헌 쳇바퀴에 타고파. 𠀀𠮷𪚥㐀丽",
    "ＦＵＬＬ　ｗｉｄｔｈ　１２３！～ ㍿ ㎏ ﾊﾝｶｸ ①②③ \u32ff",
    "हिन्दी क्षत्रिय १२३, বাংলা ভাষা, தமிழ், తెలుగు, ಕನ್ನಡ, മലയാളം, ગુજરાતી, ਪੰਜਾਬੀ, සිංහල",
    "ภาษาไทยไม่มีช่องว่าง๑๒๓ ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ བོད་སྐད་ ትግርኛ ᏣᎳᎩ ᠮᠣᠩᠭᠣᠯ",
    "العَرَبِيَّةُ ١٢٣٤٥٦، ﷺ ﷽ ﻻ ﺍﻟﺴﻼﻡ، فارسی ۱۲۳ می\u200cخواهم، اردو؛ עִבְרִית שָׁלוֹם 'כ\"ץ",
    "😀😃👍🏽👨\u200d👩\u200d👧\u200d👦🏳️\u200d🌈🏴\U000e0067\U000e0062\U000e007f🇩🇪🇫🇷1️⃣✊🏿❤️☎\ufe0f 🙂\ufe0e",
    "1 12 123 1234 12345 1234567890 1,234,567.89 0x7F 1e-9 "
    "١٢٣ १२३ ３４５ 2024-02-29T23:59:59Z +1 (555) 010-9999",
    "a  b   c    d     e                 f\t\tg \t h\n\n\n  i\r\n\r\n j \r k\n \n  \n   \n",
    "    def f(x: int) -> str:\n\t\treturn f\"{x!r}\" if x "
    ">= 0 else '\\\\n'  # ok\n\n\n\nclass A:\n    pass\n",
    "#include <stdio.h>\r\nint main(void) {\r\n\tfor (;;) "
    "{ printf(\"%d\\n\", i++ && !j || ~k); }\r\n}\r\n",
    "<div class=\"a-b_c\">&nbsp;$x^2 + \\frac{1}{2}$</div> "
    "https://example.org/a?b=c&d=%20#e me@example.org",
    "snake_case camelCase HTTPServer2 SCREAMING_CASE kebab-case "
    "x==y!=z ... ??? !!! --- === *** ``` ~~~ \\\\ // ''' \"\"\"",
    "\u2581\u2581a\u2581b \u2581 c\u2581",
    "\u2581",
    "x\u00a0y\u1680\u2003\u2028\u2029\u202f\u205f\u3000z\u0085\u000b\u000c\u001c\u001d\u001e\u001fw",
    "\ufeffBOM \u200b\u200d\u2060\u00ad\u180e\u200e\u202e\u061c\ufff9\ufffc\ufffd end",
    "\0",
    "nul\0in\0\0side \x01\x02\x7f\x80\x9f",
    "\ud7ff\ue000\uffff\U00010000\U0001f9ff\U000e0001\U0010ffff\u0378\u2fe0",
    "a" * 500,
    "ab" * 120 + "aab" * 60,
    "A" * 70 + "é" * 70 + "日" * 70 + "🙂" * 40,
    " " * 130,
    "\n" * 70 + "x" + "\t" * 70 + "y" + " " * 33 + "\r\n" * 20,
    "x" + " " * 25 + "\n" + " " * 9,
    "<|endoftext|> <s> </s> <unk> <pad> [MASK] [CLS] [SEP] "
    "<mask> <bos> <eos> <|im_start|>user<|im_end|>\n",
    "<|begin_of_text|><|eot_id|><|fim_prefix|>[INST] [/INST]<<SYS>> "
    "<0x0A><0xFF> <extra_id_0> <unused1> ##ing",
    "Ġthe Ċ âĢĻ Ã© ĉ Ń ▁the ##s @@ </w> Ġ",
    "end with space ",
    " begin with space",
    "end with newline\n",
    "\n",
    "\r\n",
    # Letters, marks, digits and symbols of each version of Unicode, from 2.0 to 17.0.
    "a\u0f40\uac00 \u20ac \u0710\u1780\U00010330\U0001d400\U00020000 \u1740\U00010380\u0241\U00010a00 \u0242"
    "\U00012000\u07c0 \u1e9e\ua640\ua900\u1c00 \u1cd0\ua4d0\U00013000\U0002a700 \u20b9\u0840\U0001f601 "
    "\u0840\U00016f00\U0001f600 \u20ba\u2066 \U00010500\U000118a0\u20bd \u20be\uab70\U0001f910\U0002b820 ",
    "\U0001e900\U00017000\U0001f920 \u20bf\U0002ceb0\U0001f9d0 \u1c90\U0001f970\ua7b8 \U0001e2c0\U0001f90d "
    "\u32ff \U00030000\U0001fad6\U0001fbf0\u31bb \u20c0\U0001fae0\U00010570 \U0001fae8\U00031350\U0001d2c0 "
    "\U0002ebf0\u2ffc \u1c89\U00010d40\U0001fae9\ua7cb \u20c1\U0001faea\U0001f6d8\U000323b0\U00016ea0"
    "\U00011de0",
)  # fmt: skip


def strange_text(pretokenizer: Pretokenizer) -> str:
    """Return text with the characters that libraries have in different classes of the patterns.

    The first and the last of each run of them, between letters, digits, spaces and marks: whatever the
    documents at hand hold, the engines are compared at what their Unicode tables say.
    """
    words = []
    for pattern in (pretokenizer.pattern, *pretokenizer.before):
        codes = strangers(replace(pretokenizer, pattern=pattern), "regex")
        is_end = np.diff(codes, prepend=-2, append=-2) != 1
        for code in codes[is_end[:-1] | is_end[1:]].tolist():
            words.append("a{0}b{0} {0}1{0}'s {0}.{0}".format(chr(code)))
    return " ".join(words)
