"""The words of a timeline, English and Danish; numbers and times as people read them."""

from __future__ import annotations

from wallbox import why_texts

LANGUAGES = ("en", "da")

# key: (English, Danish)
_TEXTS = {
    # lines
    "power_w": ("Power, from the trace", "Effekt, fra sporet"),
    "mean_w": ("Mean of an interval, from the ledger", "Middel pr. interval, fra hovedbogen"),
    "register_wh": ("Register, from the trace", "Målerstand, fra sporet"),
    "register_ledger_wh": ("Register, from the ledger", "Målerstand, fra hovedbogen"),
    "current_l1_ma": ("Current L1", "Strøm L1"),
    "current_l2_ma": ("Current L2", "Strøm L2"),
    "current_l3_ma": ("Current L3", "Strøm L3"),
    "limit_ma": ("Limit in force", "Gældende grænse"),
    "limit:installation": ("Limit: installation", "Grænse: installation"),
    "limit:cable": ("Limit: cable", "Grænse: kabel"),
    "limit:tag": ("Limit: tag", "Grænse: brik"),
    "limit:smart": ("Limit: charging plan", "Grænse: ladeplan"),
    "limit:grid": ("Limit: grid", "Grænse: elnet"),
    "limit:protection": ("Limit: protection", "Grænse: beskyttelse"),
    "limit:thermal": ("Limit: temperature", "Grænse: temperatur"),
    "power": ("Power, kW", "Effekt, kW"),
    "register": ("Register, kWh", "Målerstand, kWh"),
    "current": ("Current, A", "Strøm, A"),
    # lanes
    "session": ("Session", "Ladning"),
    "contactor": ("Contactor", "Kontaktor"),
    "pilot": ("Pilot", "Pilot"),
    "refused": ("Refused", "Afvist"),
    "meter": ("Meter", "Måler"),
    "link": ("Link", "Forbindelse"),
    "absence": ("Operator absent", "Operatør væk"),
    "seal": ("Seal", "Plombe"),
    "seal:lid": ("Seal: lid", "Plombe: låg"),
    "seal:terminal cover": ("Seal: terminal cover", "Plombe: klemdæksel"),
    "lifecycle": ("Lifecycle", "Livsforløb"),
    "clock": ("Clock", "Ur"),
    "gap": ("Gap of metering", "Hul i målingen"),
    "recorded": ("Trace", "Spor"),
    "facts": ("Facts", "Hændelser"),
    # what a band shows
    "closed": ("closed", "lukket"),
    "pilot_A": ("A: no car", "A: ingen bil"),
    "pilot_B": ("B: connected", "B: tilsluttet"),
    "pilot_C": ("C: asks for power", "C: vil lade"),
    "pilot_D": ("D: asks for ventilation", "D: vil have ventilation"),
    "pilot_E": ("E: fault", "E: fejl"),
    "pilot_F": ("F: box unavailable", "F: boks ikke klar"),
    "pilot_?": ("not sampled", "ikke målt"),
    "meter_silent": ("silent", "tavs"),
    "meter_refused": ("values refused", "værdier afvist"),
    "link_0": ("not tried yet", "endnu ikke forsøgt"),
    "link_1": ("connected", "forbundet"),
    "link_2": ("delivered", "afleveret"),
    "link_3": ("no Wi-Fi", "intet Wi-Fi"),
    "link_4": ("no address", "ingen adresse"),
    "link_5": ("no broker", "ingen broker"),
    "link_6": ("refused by the broker", "afvist af brokeren"),
    "link_7": ("TLS failed", "TLS mislykkedes"),
    "link_8": ("lost", "tabt"),
    "link_9": ("answer too late", "svar for sent"),
    "link_10": ("malformed", "misdannet"),
    "link_11": ("flash failed", "flash fejlede"),
    "seal_good": ("good", "hel"),
    "seal_open": ("open", "åben"),
    "seal_broken": ("broken", "brudt"),
    "quality_U": ("U: unknown", "U: ukendt"),
    "quality_I": ("I: informative", "I: vejledende"),
    "quality_R": ("R: counted on", "R: talt videre"),
    "quality_S": ("S: synchronised", "S: synkroniseret"),
    "factory": ("factory", "fabrik"),
    "commissioned": ("commissioned", "idriftsat"),
    "in service": ("in service", "i drift"),
    "suspended": ("suspended", "lukket"),
    "on hold": ("on hold", "på pause"),
    "decommissioned": ("decommissioned", "udtjent"),
    "boot": ("boot", "opstart"),
    "hole": ("hole, records missing:", "hul, manglende poster:"),
    "mixed": ("several, too short to draw", "flere, for korte til at tegne"),
    # causes
    "clock_cause": ("clock", "ur"),
    # the page
    "title": ("Timeline of box {box}", "Tidslinje for boks {box}"),
    "nameless": ("without a name", "uden navn"),
    "local": (
        "Times are of Europe/Copenhagen, with summer time; behind a time that comes twice stands "
        "its offset.",
        "Tider er dansk tid med sommertid; bag et klokkeslæt, der kommer to gange, står dets zone.",
    ),
    "uptime": (
        "Boot {boot}: the box never knew the time; hours, minutes and seconds since the boot.",
        "Opstart {boot}: boksen kendte aldrig tiden; timer, minutter og sekunder siden opstarten.",
    ),
    "how": (
        "Drag over a chart to zoom, double-click to see all; point at anything for its value. "
        "Click a name in the legend to hide its line.",
        "Træk hen over et diagram for at zoome, dobbeltklik for at se alt; peg for at se værdien. "
        "Klik på et navn for at skjule linjen.",
    ),
    "coarse": (
        "Drawn coarser than recorded: at most {points} points a line, of which lowest and highest "
        "of neighbours are kept, and {bands} bands a lane. Less time (--from, --to) shows more.",
        "Tegnet grovere end optaget: højst {points} punkter pr. linje, hvoraf laveste og højeste "
        "af naboer er bevaret, og {bands} felter pr. bane. Kortere tid (--from, --to) viser mere.",
    ),
    "other_core": (
        "{count} parts of the trace were decided by other rules than this tool's, or do not name "
        "theirs; shown is what this tool's make of them.",
        "{count} dele af sporet er afgjort af andre regler end dette værktøjs, eller nævner ikke "
        "deres; vist er, hvad dette værktøjs når frem til.",
    ),
    "not_played": (
        "{count} parts of the trace cannot be played with this tool's rules; their limits, "
        "refusals, link and seals are not shown.",
        "{count} dele af sporet kan ikke afspilles med dette værktøjs regler; grænser, "
        "afvisninger, forbindelse og plomber vises ikke for dem.",
    ),
    "differs": (
        "In {count} parts of the trace this tool's rules decide otherwise than the box did; shown "
        "are this tool's. wallbox replay says where.",
        "I {count} dele af sporet beslutter dette værktøjs regler andet end boksen; vist er "
        "værktøjets. wallbox replay siger hvor.",
    ),
    "holes": (
        "The trace has {count} holes, {missing} records are missing.",
        "Sporet har {count} huller, {missing} poster mangler.",
    ),
    "hidden": (
        "{count} boots without a clock are not shown.", "{count} opstarter uden ur er ikke vist.",
    ),
    "no_trace": (
        "The log holds no trace: only what the ledger tells is shown.",
        "Loggen har intet spor: kun det, hovedbogen fortæller, er vist.",
    ),
    "sessions": ("Sessions", "Ladninger"),
    "refusals": ("Why there was no power", "Hvorfor der ikke var strøm"),
    "outages": ("Gaps, absences and holes", "Huller og fravær"),
    "zoom_in": ("Zoom in", "Zoom ind"),
    "zoom_out": ("Zoom out", "Zoom ud"),
    "back": ("Earlier", "Tidligere"),
    "forth": ("Later", "Senere"),
    "all": ("All", "Alt"),
    "col_number": ("No.", "Nr."),
    "col_begin": ("Begin", "Begyndt"),
    "col_end": ("End", "Slut"),
    "col_length": ("Length", "Varighed"),
    "col_energy": ("kWh", "kWh"),
    "col_authority": ("By authority of", "Tilladt af"),
    "col_reason": ("Stop reason", "Stopårsag"),
    "col_what": ("What", "Hvad"),
    "col_why": ("Why", "Hvorfor"),
    "running": ("not ended here", "ikke slut her"),
    "none": ("None.", "Ingen."),
    "more_rows": ("… and {count} more.", "… og {count} til."),
    "about": (
        "{entries} entries of the trace, {facts} facts of the ledger.",
        "{entries} poster i sporet, {facts} hændelser i hovedbogen.",
    ),
    "nobody": ("nobody", "ingen"),
    "anybody": ("anybody", "hvem som helst"),
    "tag": ("tag", "brik"),
    "operator": ("operator", "operatør"),
    "days": ("d", "d"),
}
_WEEKDAYS = ("Mon Tue Wed Thu Fri Sat Sun", "man tir ons tor fre lør søn")
_MONTHS = (
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "jan feb mar apr maj jun jul aug sep okt nov dec",
)
_CAUSES = {
    "power": ("power", "strøm"), "clock": ("clock", "ur"), "meter": ("meter", "måler"),
    "storage": ("storage", "lager"), "restart": ("restart", "genstart"),
    "exchange": ("exchange", "udskiftning"), "wifi": ("Wi-Fi", "Wi-Fi"),
    "address": ("address", "adresse"), "broker": ("broker", "broker"),
    "acknowledgement": ("acknowledgement", "kvittering"),
}


class TimelineWords:
    """Texts of one language; a key that has none is said as it is."""

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._index = LANGUAGES.index(language)
        self._sentences = why_texts.DANISH if self._index else why_texts.ENGLISH

    def say(self, key: str, **blanks: object) -> str:
        texts = _TEXTS.get(key)
        text = texts[self._index] if texts else key
        return text.format(**blanks) if blanks else text

    def refusal(self, name: str) -> str:
        """The sentence that the customer reads."""
        return why_texts.sentence(self._sentences, name, "", 0, 0)

    def causes(self, names: str) -> str:
        """Causes of a gap or an absence, separated by spaces."""
        return ", ".join(_CAUSES.get(name, (name, name))[self._index] for name in names.split())

    @property
    def calendar(self) -> dict[str, list[str]]:
        """Names for the axis, Monday and January first."""
        return {
            "weekdays": _WEEKDAYS[self._index].split(), "months": _MONTHS[self._index].split()
        }


def length(ms: float) -> str:
    """`1:02:03`, days in front: `2 d 1:02:03`."""
    seconds = round(ms / 1000)
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock
