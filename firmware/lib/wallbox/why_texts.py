"""What the box tells a customer: a line a name, English and Danish.

{a} is a limit in A, {by} who limits, {until} a time of day in UTC. A line ends at | if it is
not known until when. Imported only when the answer has changed.
"""

ENGLISH = (
    "ConfigurationInvalid The configuration is not valid; repair config.json over USB.\n"
    "PowerSwitchFailure The contactor does not follow its command; call the installer.\n"
    "EVCommunicationError The pilot shows a fault or a wish for ventilation; unplug the car.\n"
    "LedgerFailure The box cannot store what it measures; call the operator.\n"
    "MeterExchanged The sub-meter is not the one this box knows; call the operator.\n"
    "PowerMeterFailure The sub-meter's values are not plausible; call the installer.\n"
    "PowerMeterSilent The sub-meter does not answer; call the installer.\n"
    "LedgerFull The memory for metered data is full; the box must get online first.\n"
    "TamperDetectionActivated A seal was opened; call the operator.\n"
    "ChipForeign This configuration belongs to another box; call the installer.\n"
    "Moved The box seems to stand in another place; call the operator.\n"
    "NotInService The box is not in service; call the installer.\n"
    "Suspended The operator has suspended charging; call the operator.\n"
    "OnHold The subscription is on hold.\n"
    "Offline The box was offline for too long; check its Wi-Fi.\n"
    "CurrentWithoutContactor Current flows though the contactor is open; call the installer.\n"
    "Booting The box has just started.\n"
    "Available Ready: plug in the car.\n"
    "AvailableByTag Ready: plug in the car and hold your tag to the reader.\n"
    "WaitingForCar Charging is allowed: plug in the car.\n"
    "WaitingForTag Hold your tag to the reader, or start in the app.\n"
    "ReaderMissing The tag reader does not answer; start in the app.\n"
    "Starting The box reads its meter; charging begins in a moment.\n"
    "WaitingForEV The car is offered up to {a} A and does not ask for it.\n"
    "Charging The car may draw up to {a} A.\n"
    "Limited The car may draw up to {a} A, limited by {by}.\n"
    "Paused Paused by {by}|, until {until} UTC.\n"
    "HoldOff A short rest for car and contactor; charging goes on within a minute.\n"
    "Ending The box reads its meter for the last time.\n"
    "Stopped Charging was stopped; unplug the car, or start anew.\n"
    "installation the installation\n"
    "cable the cable\n"
    "tag the tag\n"
    "smart the charging plan\n"
    "grid the grid\n"
    "protection the house's connection\n"
    "thermal the box's temperature"
)

DANISH = (
    "ConfigurationInvalid Opsætningen er ikke gyldig; ret config.json via USB.\n"
    "PowerSwitchFailure Kontaktoren følger ikke sin kommando; kontakt installatøren.\n"
    "EVCommunicationError Forbindelsen til bilen melder fejl; tag stikket ud af bilen.\n"
    "LedgerFailure Boksen kan ikke gemme det, den måler; kontakt operatøren.\n"
    "MeterExchanged Måleren er ikke den, boksen kender; kontakt operatøren.\n"
    "PowerMeterFailure Målerens værdier kan ikke passe; kontakt installatøren.\n"
    "PowerMeterSilent Måleren svarer ikke; kontakt installatøren.\n"
    "LedgerFull Hukommelsen til måledata er fuld; boksen skal online først.\n"
    "TamperDetectionActivated En plombe er blevet brudt; kontakt operatøren.\n"
    "ChipForeign Opsætningen hører til en anden boks; kontakt installatøren.\n"
    "Moved Boksen ser ud til at være flyttet; kontakt operatøren.\n"
    "NotInService Boksen er ikke i drift; kontakt installatøren.\n"
    "Suspended Operatøren har lukket for opladning; kontakt operatøren.\n"
    "OnHold Abonnementet er sat på pause.\n"
    "Offline Boksen har været offline for længe; se efter dens Wi-Fi.\n"
    "CurrentWithoutContactor Der løber strøm, selv om kontaktoren er åben; "
    "kontakt installatøren.\n"
    "Booting Boksen er lige startet.\n"
    "Available Klar: sæt stikket i bilen.\n"
    "AvailableByTag Klar: sæt stikket i bilen, og hold din brik op til læseren.\n"
    "WaitingForCar Opladningen er godkendt: sæt stikket i bilen.\n"
    "WaitingForTag Hold din brik op til læseren, eller start i appen.\n"
    "ReaderMissing Læseren til brikker svarer ikke; start i appen.\n"
    "Starting Boksen aflæser sin måler; opladningen begynder om et øjeblik.\n"
    "WaitingForEV Bilen kan få op til {a} A, men beder ikke om det.\n"
    "Charging Bilen kan bruge op til {a} A.\n"
    "Limited Bilen kan bruge op til {a} A; {by} sætter grænsen.\n"
    "Paused På pause på grund af {by}|, indtil kl. {until} UTC.\n"
    "HoldOff Bil og kontaktor hviler kort; opladningen fortsætter inden for et minut.\n"
    "Ending Boksen aflæser sin måler en sidste gang.\n"
    "Stopped Opladningen er stoppet; tag stikket ud af bilen, eller start igen.\n"
    "installation installationen\n"
    "cable kablet\n"
    "tag brikken\n"
    "smart ladeplanen\n"
    "grid elnettet\n"
    "protection husets tilslutning\n"
    "thermal boksens temperatur"
)


def sentence(texts: str, name: str, by: str, limit_a: int, until_utc_s: int) -> str:
    """The line of `name` with its blanks filled in."""
    text = _line(texts, name)
    if "|" in text:
        text = text.replace("|", "") if until_utc_s else text.split("|")[0] + "."
    if "{" in text:
        minutes = until_utc_s // 60
        time = "%02d:%02d" % (minutes // 60 % 24, minutes % 60)
        text = text.replace("{a}", str(limit_a)).replace("{until}", time)
        text = text.replace("{by}", _line(texts, by))
    return text


def _line(texts: str, name: str) -> str:
    """Looks without cutting the text into lines: on the box that would be garbage."""
    begin = 0 if texts.startswith(name + " ") else texts.find("\n" + name + " ") + 1
    if begin == 0 and not texts.startswith(name + " "):
        return name
    begin += len(name) + 1
    end = texts.find("\n", begin)
    return texts[begin:end] if end >= 0 else texts[begin:]
