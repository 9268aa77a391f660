//! How a locale writes numbers, amounts, months and days: the GNU C Library's data, compiled in.

use pure_rust_locales::{Locale as Data, locale_match};

use super::figures::Separators;

/// A locale that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Locale(Data);

/// How a locale places a currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Currency {
    pub(crate) separators: Separators<'static>,
    /// Whether the currency precedes the amount.
    pub(crate) first: bool,
    /// Whether a space separates the two.
    pub(crate) space: bool,
    /// The code of the locale's own currency, and its sign.
    pub(crate) own: (&'static str, &'static str),
}

/// The region meant where a language alone is named and its own name is not the region's (`de` is `de_DE`).
const REGIONS: &[(&str, &str)] = &[
    ("ar", "ar_EG"),
    ("be", "be_BY"),
    ("bn", "bn_BD"),
    ("bs", "bs_BA"),
    ("ca", "ca_ES"),
    ("cs", "cs_CZ"),
    ("cy", "cy_GB"),
    ("da", "da_DK"),
    ("el", "el_GR"),
    ("en", "en_US"),
    ("et", "et_EE"),
    ("eu", "eu_ES"),
    ("fa", "fa_IR"),
    ("fil", "fil_PH"),
    ("ga", "ga_IE"),
    ("gl", "gl_ES"),
    ("he", "he_IL"),
    ("hi", "hi_IN"),
    ("hy", "hy_AM"),
    ("ja", "ja_JP"),
    ("ka", "ka_GE"),
    ("kk", "kk_KZ"),
    ("ko", "ko_KR"),
    ("lb", "lb_LU"),
    ("ms", "ms_MY"),
    ("nb", "nb_NO"),
    ("nn", "nn_NO"),
    ("no", "nb_NO"),
    ("pt", "pt_BR"),
    ("sl", "sl_SI"),
    ("sq", "sq_AL"),
    ("sr", "sr_RS"),
    ("sv", "sv_SE"),
    ("ta", "ta_IN"),
    ("uk", "uk_UA"),
    ("ur", "ur_PK"),
    ("vi", "vi_VN"),
    ("zh", "zh_CN"),
];

impl Locale {
    /// The locale of a name: `de`, `de-AT`, `de_AT`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        // The longest known name has 14 letters.
        if name.len() > 24 {
            return None;
        }
        let name = name.replace('-', "_");
        let full = match name.split_once('_') {
            Some((language, region)) => format!("{}_{}", language.to_ascii_lowercase(), region.to_ascii_uppercase()),
            None => {
                let language = name.to_ascii_lowercase();
                let known = REGIONS.iter().find(|(own, _)| *own == language);
                known
                    .map_or_else(|| format!("{language}_{}", language.to_ascii_uppercase()), |(_, full)| (*full).into())
            }
        };
        full.parse().ok().map(Self)
    }

    /// The name of a month, 1 to 12, in the form used in dates.
    pub(crate) fn month(self, month: usize, short: bool) -> &'static str {
        let Self(locale) = self;
        let names: &[&str] =
            if short { locale_match!(locale => LC_TIME::ABMON) } else { locale_match!(locale => LC_TIME::MON) };
        names.get(month - 1).copied().unwrap_or("").trim()
    }

    /// The name of a day of the week; 0 is Sunday.
    pub(crate) fn weekday(self, day: usize, short: bool) -> &'static str {
        let Self(locale) = self;
        let names: &[&str] =
            if short { locale_match!(locale => LC_TIME::ABDAY) } else { locale_match!(locale => LC_TIME::DAY) };
        names.get(day).copied().unwrap_or("").trim()
    }

    /// How numbers are written.
    pub(crate) fn separators(self) -> Separators<'static> {
        let Self(locale) = self;
        let group = locale_match!(locale => LC_NUMERIC::THOUSANDS_SEP);
        let sizes = sizes(locale_match!(locale => LC_NUMERIC::GROUPING));
        match sizes {
            Some(sizes) if !group.is_empty() => {
                Separators { group, sizes, point: locale_match!(locale => LC_NUMERIC::DECIMAL_POINT) }
            }
            // Some locales group amounts only. Both are written alike there, as people do.
            _ => self.currency().separators,
        }
    }

    /// How amounts of money are written.
    pub(crate) fn currency(self) -> Currency {
        let Self(locale) = self;
        let code = locale_match!(locale => LC_MONETARY::INT_CURR_SYMBOL).trim();
        Currency {
            separators: Separators {
                group: locale_match!(locale => LC_MONETARY::MON_THOUSANDS_SEP),
                sizes: sizes(locale_match!(locale => LC_MONETARY::MON_GROUPING)).unwrap_or((3, 3)),
                point: locale_match!(locale => LC_MONETARY::MON_DECIMAL_POINT),
            },
            first: locale_match!(locale => LC_MONETARY::P_CS_PRECEDES) == 1,
            space: locale_match!(locale => LC_MONETARY::P_SEP_BY_SPACE) != 0,
            own: (code, locale_match!(locale => LC_MONETARY::CURRENCY_SYMBOL)),
        }
    }
}

/// The sizes of the group before the point and of the others.
fn sizes(grouping: &[i64]) -> Option<(usize, usize)> {
    let size = |place: usize| grouping.get(place).and_then(|size| usize::try_from(*size).ok()).filter(|size| *size > 0);
    let first = size(0)?;
    Some((first, size(1).unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_found_by_language_and_region() {
        for (name, month) in [
            ("de", "Januar"),
            ("de-AT", "Jänner"),
            ("de_at", "Jänner"),
            ("EN-gb", "January"),
            ("it", "gennaio"),
            ("pt", "janeiro"),
            ("pl", "stycznia"),
            ("ja", "1月"),
        ] {
            assert_eq!(Locale::find(name).expect(name).month(1, false), month, "{name}");
        }
        for name in ["", "xx", "de_XX", "German", "../de", &"d".repeat(100)] {
            assert!(Locale::find(name).is_none(), "{name}");
        }
        for (language, full) in REGIONS {
            assert!(full.starts_with(language) || *language == "no", "{language}");
            assert!(Locale::find(language).is_some(), "{language}");
        }
    }

    #[test]
    fn every_locale_has_its_separators() {
        for name in ["de", "fr", "it", "es", "pt", "nl", "pl", "sv", "el", "hi", "ja", "hr", "cs", "fi", "da", "tr"] {
            let locale = Locale::find(name).expect(name);
            for separators in [locale.separators(), locale.currency().separators] {
                assert!(!separators.point.is_empty(), "{name}");
                assert!(!separators.group.is_empty(), "{name}");
                assert!(separators.sizes.0 > 0, "{name}");
            }
        }
    }
}
