package charter

// lookalikes lists, for each Latin letter, those that are passed off as it and
// that no decomposition reaches: of Greek, Cyrillic, Armenian, Cherokee, Coptic
// and Lisu, letters with strokes and hooks, phonetic and small capital letters,
// and letters in dark boxes. Most are from the confusables of Unicode (UTS 39).
// Case does not matter.
var lookalikes = [...]struct {
	letter byte
	runes  string
}{
	{'a', "аАαΑɑɐᴀⱯᗅᎪꓮ🅐🅰🇦ӕӔⱥȺλΛꭺ"},
	{'b', "вВβΒʙƄƅьЬЪъɓƁƀɃƂƃᏏᏴᖯꓐ🅑🅱🇧Ⲃⲃϐѣ"},
	{'c', "сСϲϹᴄƈƇȼȻɔƆⲤⲥᏟꓚ🅒🅲🇨ҫҪⅽ"},
	{'d', "ԁɗƊđĐᴅɖƉðÐƋƌԀᎠᏧꓓ🅓🅳🇩ժⅾᑯ"},
	{'e', "еЕεΕєЄҽҼёЁᴇɛƐəƏǝƎɇɆэЭԑԐҿҾ℮ᎬꓰⲈⲉ🅔🅴🇪ℇ"},
	{'f', "ƒƑғҒꜰϝϜꞘꞙꓝ🅕🅵🇫քẝ"},
	{'g', "ɡցɢɠƓǥǤԌԍᏀᏳꓖ🅖🅶🇬ɣ"},
	{'h', "һҺнНΗհћЋђЂʜħĦɦɧҥҤңҢԊԋᎻⱧⱨⲎⲏꓧ🅗🅷🇭ԦԧҔ"},
	{'i', "іІιΙıɩƖїЇɪɨƗᎥⲒⲓꓲ🅘🅸🇮ⅰ"},
	{'j', "јЈϳͿᴊɉɈʝɟᎫꓙ🅙🅹🇯յ"},
	{'k', "кКκΚᴋƙƘқҚҝҜҟҞҡҠᏦⲔⲕꓗ🅚🅺🇰ϰⱪⱩ"},
	{'l', "łŁʟƚȽɭɫɬⅼᏞⳐꓡ🅛🅻🇱ⱡⱠլʅ"},
	{'m', "мМΜᴍɱᎷⲘⲙꓟ🅜🅼🇲ⅿʍϻϺӍӎ"},
	{'n', "ոΝɴпПηɲƝƞȠŋŊиИйЙѝЍҋҊπΠռⲚⲛꓠ🅝🅽🇳ղ"},
	{'o', "оОοΟøØօՕσΣᴏɵƟөӨθΘфФᎾⲞⲟꓳ🅞🅾🇴ѳѲ၀סⵔ"},
	{'p', "рРρΡᴘƥƤþÞᏢⲢⲣꓑ🅟🅿🇵ҏҎϱ"},
	{'q', "ԛԚգɋɊʠϙϘ🅠🆀🇶զǫ"},
	{'r', "гГʀɍɌɾɼɽᎡᏒꓣ🅡🆁🇷яЯᴦⲄⲅґҐ"},
	{'s', "ѕЅꜱʂƧƨȿᏕᏚꓢ🅢🆂🇸ʃՏ"},
	{'t', "тТτΤᴛƭƬŧŦʈƮțȾⱦᎢⲦⲧꓔ🅣🆃🇹ҭҬտ"},
	{'u', "υսՍʋᴜʉɄцЦµμꓴ🅤🆄🇺ᑌʊꞟ"},
	{'v', "ѵѴνᴠʌɅᏙⴸꓦ🅥🆅🇻ⅴᐯ"},
	{'w', "ԝԜѡѠωΩᴡшШщЩɯᎳᏔꓪ🅦🆆🇼աⱳⱲѿ"},
	{'x', "хХχΧҳҲⲬⲭꓫ🅧🆇🇽ⅹ᙭"},
	{'y', "уУγΥүҮұҰʏƴƳɏɎўЎϒყʎᎩⲨⲩꓬ🅨🆈🇾ɤӯӰӱҷ"},
	{'1', "ӏӀǀ׀ⵏ"}, // i or l, as 1 is
	{'z', "ᴢΖζƶƵʐȥȤʑʒƷᏃꓜ🅩🆉🇿ⱬⱫ"},
}

// lookalike is them by rune.
var lookalike = func() map[rune]byte {
	m := map[rune]byte{}
	for _, l := range lookalikes {
		for _, r := range l.runes {
			if _, known := m[r]; !known {
				m[r] = l.letter
			}
		}
	}
	return m
}()

// latinLookalike is the Latin letter that r is commonly passed off as, or 0.
func latinLookalike(r rune) byte { return lookalike[r] }
