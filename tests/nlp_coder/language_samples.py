# ruff: noqa: RUF001 - other scripts are the point
"""Texts that are not in English, texts that are no human language, and English as hospitals write it. All made up."""

# By BCP 47 code: what a nurse or a doctor may have written, from whole notes down to a phrase.
FOREIGN: dict[str, list[str]] = {
    "es": [
        "El paciente refiere dolor torácico desde hace dos días.",
        "Mujer de 67 años con antecedentes de hipertensión y diabetes que acude a urgencias por disnea progresiva.",
        "Niega fiebre. Exploración: abdomen blando, no doloroso a la palpación.",
        "Varón de 54 años, fumador. Ingresa por neumonía adquirida en la comunidad, sin derrame pleural.",
    ],
    "fr": [
        "Douleur thoracique depuis deux jours",
        "Patiente de 72 ans hospitalisée pour une décompensation cardiaque dans un contexte de pneumopathie.",
        "Pas de fièvre, pas de dyspnée. Auscultation pulmonaire libre, abdomen souple et indolore.",
    ],
    "de": [
        "Patient klagt über Brustschmerzen seit zwei Tagen",
        "Die stationäre Aufnahme erfolgte bei dekompensierter Herzinsuffizienz und Vorhofflimmern.",
        "Kein Hinweis auf eine Lungenembolie. Keine Pleuraergüsse, kein Pneumothorax.",
        "Z.n. Myokardinfarkt 2015, arterielle Hypertonie, Diabetes mellitus Typ 2, Niereninsuffizienz.",
    ],
    "it": [
        "Paziente con dolore toracico da due giorni",
        "Uomo di 60 anni ricoverato per polmonite con insufficienza respiratoria acuta, trattata con antibiotici.",
        "Nega febbre e tosse. Addome trattabile, non dolente alla palpazione.",
    ],
    "pt": [
        "Paciente com dor no peito há dois dias, sem febre.",
        "Doente de 80 anos internado por insuficiência cardíaca descompensada e fibrilação auricular.",
        "Mulher com antecedentes de asma, recorre ao serviço de urgência por falta de ar desde ontem.",
    ],
    "nl": [
        "Patiënt heeft sinds twee dagen pijn op de borst en is kortademig.",
        "Vrouw van 71 jaar opgenomen met een longontsteking waarvoor antibiotica werd gegeven.",
        "Geen koorts, geen hoesten. De buik is soepel en niet pijnlijk.",
    ],
    "pl": [
        "Pacjent zgłasza ból w klatce piersiowej od dwóch dni.",
        "Chora lat 65 przyjęta do szpitala z powodu zapalenia płuc i niewydolności serca.",
        "Neguje gorączkę i kaszel. Brzuch miękki, niebolesny.",
    ],
    "sv": ["Patienten söker för bröstsmärta sedan två dagar och har feber.", "Ingen feber, inga tecken på blödning."],
    "da": ["Patienten har haft brystsmerter siden i går og er indlagt med lungebetændelse."],
    "no": ["Pasienten har hatt brystsmerter siden i går og er innlagt med lungebetennelse, ikke feber."],
    "fi": ["Potilas hakeutuu päivystykseen rintakivun vuoksi, joka on alkanut eilen eikä ole helpottanut."],
    "cs": ["Pacient byl přijat pro bolest na hrudi, která trvá dva dny, bez teploty."],
    "hu": ["A beteg két napja mellkasi fájdalomra panaszkodik, láza nem volt."],
    "ro": ["Pacientul se prezintă pentru durere toracică de două zile, fără febră."],
    "tr": ["Hasta iki gündür göğüs ağrısı ve nefes darlığı şikayeti ile başvurdu, ateşi yok."],
    "ca": ["La pacient refereix dolor toràcic des de fa dos dies, sense febre ni tos."],
    "id": ["Pasien datang dengan nyeri dada sejak dua hari yang lalu, tidak ada demam."],
    "vi": ["Bệnh nhân nhập viện vì đau ngực từ hai ngày nay, không sốt."],
}
OTHER_SCRIPTS = [
    "Пациент жалуется на боль в груди в течение двух дней.",
    "Пневмонія, лихоманка з учора",
    "患者は胸痛を訴えている",
    "患者两天来胸痛，无发热。",
    "환자는 이틀 전부터 흉통을 호소한다",
    "يشكو المريض من ألم في الصدر منذ يومين",
    "המטופל מתלונן על כאבים בחזה",
    "Ο ασθενής παραπονείται για πόνο στο στήθος",
    "मरीज को दो दिन से सीने में दर्द है",
    "ผู้ป่วยมีอาการเจ็บหน้าอกมาสองวัน",
    "Диагноз: COPD, обострение. Назначено: prednisone 40 mg, наблюдение в течение недели.",
]
NOT_HUMAN = {
    "binary": "\x00\x01\x02\x80\x81abc\ufffd\ufffd",
    "control characters": "\x01\x02\x03\x04\x05\x06\x07\x08" * 10,
    "replacement characters": "\ufffd" * 30,
    "base64": "JVBERi0xLjQKJeLjz9MKMyAwIG9iago8PC9MZW5ndGggNCAwIFI" * 6,
    "base64 in lines": "\n".join(["JVBERi0xLjQKJeLjz9MKMyAwIG9iago8PC9MZW5ndGggNCAwIFIvRmlsdGVyL0ZsYXRlRGVjb2Rl"] * 8),
    "hexadecimal": "deadbeef00ff17c3a94e" * 15,
    "hexadecimal dump": "\n".join(["00000010  4a 56 42 45 52 69 30 78  4c 6a 51 4b 4a 65 4c 6a"] * 6),
    "hexadecimal bytes": "4a 56 42 45 52 69 30 78 4c 6a 51 4b 4a 65 4c 6a ff d8 ff e0 00 10 4a 46 49 46 00 01",
    "checksums": "\n".join(["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"] * 3),
    "one character": "a" * 500,
    "table of numbers": "\n".join(f"{row},{row * 1.7:.3f},{row * 3},{row + 0.25},{row * row}" for row in range(40)),
    "numbers by tabs": "\n".join("\t".join(str(row * column) for column in range(8)) for row in range(30)),
    "Python": (
        "import os\n\ndef load(path):\n    with open(path) as f:\n        return [int(x) for x in f.read().split()]\n\n"
        "if __name__ == '__main__':\n    print(load(os.environ['FILE'])[0:10])\n"
    ),
    "JavaScript": (
        "const a = require('x'); function f(b) { return b.map((c) => ({ id: c.id, v: c.v || null })); }\n"
        "module.exports = { f };\nif (a && !f) { console.log(`x=${a}`); }"
    ),
    "SQL": "SELECT p.id, p.name FROM patients p JOIN stays s ON s.pid = p.id WHERE s.unit = 'ICU' AND p.id > 10;",
    "JSON": '{"a":[{"id":1,"v":null},{"id":2,"v":3.5}],"meta":{"page":1,"total":2,"next":"/v1/a?page=2"},"ok":true}',
    "markup without text": '<div class="a"><span id="b"/></div><table><tr><td/></tr></table><br/><hr/><img src="x"/>',
    "addresses of the web": "https://a.example/x?y=1&z=2 https://b.example/q/w/e https://c.example/9/8/7.html",
    "one long line of keys": "qwjkxzvbn pqxzjkvw zxcvbnmk qqwwjjzz xkcdvbnq wrtplkjh zzxxccvv bbnnmmkk hjklqwrt pzxcv",
    "keyboard": "asdf jkl; asdf jkl; asdfasdf jkljkl asdf qwer zxcv uiop asdf sdfg dfgh fghj asdf qwerqwer",
    "lorem ipsum": (
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
        "magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip."
    ),
    "punctuation": "!@#$%^&*()_+{}|:<>?-=[];',./" * 10,
    "emoji": "\U0001f637\U0001fac0\U0001fac1 " * 20,
    "log of a program": (
        "2026-11-23T08:00:01Z INFO [main] c.e.App:42 - start pid=1234 port=8080\n"
        "2026-11-23T08:00:02Z DEBUG [io-1] c.e.Net:17 - rx=512 tx=0 fd=9\n"
        "2026-11-23T08:00:02Z ERROR [io-1] c.e.Net:88 - java.lang.NullPointerException at c.e.Net.read(Net.java:88)\n"
    ),
}
# Read whatever they look like: fragments, lists, tables, capitals, Latin, a few foreign words.
ENGLISH = [
    "Plavix 75 mg p.o. q.d., metoprolol 25 mg p.o. q.d., Flomax 0.4 mg p.o. q.d., Zocor 20 mg p.o. q.d.",
    "1. Lasix 40 mg p.o. b.i.d.\n2. Coumadin 5 mg p.o. q.d.\n3. Xanax 0.25 mg p.o. q.8h. p.r.n.",
    "CHF exacerbation",
    "pneumothorax",
    "fever",
    "?PE",
    "s/p CABG x4",
    "AKI on CKD",
    "<html><body><p>Patient has pneumonia.</p></body></html>",
    '<div class="note"><p><b>Assessment:</b> Community-acquired pneumonia.</p><br/></div>',
    "<p>Patient has pneumonia.</p><p>Denies fever.</p><ul><li>COPD</li><li>HTN</li></ul>",
    "NSTEMI",
    "UTI, E. coli",
    "DM2 HTN HLD CAD",
    "Pt c/o CP, SOB x2d. Hx HTN, DM2, COPD.",
    "O2 via NC, A&O x 3, no c/o pain",
    "VSS. NAD. RRR. CTAB. Abd soft NT ND. Ext no c/c/e.",
    "BP 120/80 HR 72 RR 16 T 98.6 SpO2 97% RA",
    "BP 120/80 HR 72 μg",
    "Inclusion criteria: adults with type 2 diabetes",
    "- age >= 18 years\n- HbA1c > 7.0%\n- no prior insulin\n- eGFR > 30 mL/min/1.73 m2",
    "Exclusion Criteria:\n\n1. Pregnancy or lactation\n2. Active malignancy\n3. ALT > 3 x ULN",
    "metoprolol 25 mg PO BID\nlisinopril 10 mg PO daily\natorvastatin 40 mg PO qhs\nASA 81 mg PO daily",
    "Rx: amoxicillin 500mg caps #30 sig: 1 cap p.o. t.i.d. x 10d",
    "Na 138  K 4.2  Cl 101  HCO3 24  BUN 18  Cr 1.1  Glu 142",
    "WBC\t14.2\tK/uL\tH\nHgb\t10.1\tg/dL\tL\nPlt\t210\tK/uL\nNa\t131\tmmol/L\tL\nLactate\t3.4\tmmol/L\tH",
    "ABG: pH 7.31 / pCO2 58 / pO2 62 / HCO3 28 / BE +2 on 40% FiO2",
    "THE PATIENT IS A 65-YEAR-OLD MALE WITH CHEST PAIN RADIATING TO THE LEFT ARM.",
    "IMPRESSION:  1. NO ACUTE CARDIOPULMONARY PROCESS.  2. CARDIOMEGALY.",
    "Ménière's disease, naïve to treatment 🫁",
    "Status post laparoscopic cholecystectomy. Cor pulmonale. Situs inversus totalis.",
    "Dx: carcinoma in situ, cervix uteri; hallux valgus; tinea pedis; alopecia areata",
    "Nil per os. Pro re nata. Ad libitum. Post mortem. Per rectum.",
    'Patient\'s mother speaks only Spanish; she said "le duele la cabeza" and pointed to his head.',
    "Seen by Dr. de la Cruz and Dr. van der Berg at Sacré-Coeur; follow up with Dr. Müller.",
    "Sjögren syndrome, Guillain-Barré syndrome, café-au-lait spots, grand mal seizure, petit mal",
    "cx neg. bcx ngtd. ucx >100k e coli pansens. vanc dc'd, ctx cont.",
    "neuro: gcs 15, perrla. cv: nsr. resp: 2l nc, cta. gi: +bs. gu: foley. skin: intact",
    "Wt 82 kg, Ht 178 cm, BMI 25.9",
    "EF 25-30%. LVH. Mod MR. Mild TR. RVSP 48 mmHg.",
    "pt fell oob, hit head, -loc, +n/v x1, ct head neg",
    "D/C home. F/U PCP 1 wk. RTC prn.",
    "G3P2002 at 39w2d, SROM, 4/80/-2, FHT 140s cat I",
    "T1N0M0 ER+/PR+/HER2- IDC L breast s/p lumpectomy",
    "J18.9, I50.23, N17.9, E11.65",
    "Allergies: NKDA",
    "Denies fever/chills/N/V/D.",
    "Chest pain. Dyspnea. Cough. Hemoptysis. Syncope. Palpitations. Edema.",
    "acute abdomen",
    "Total abdominal hysterectomy, bilateral salpingo-oophorectomy",
    "in no acute distress",
    "Paracetamol 1 g IV, morphine 5 mg IV, ondansetron 4 mg IV, saline 1000 ml",
    "Age: 54; Sex: M; Unit: ICU; Bed: 12; Code: full",
    "p.o. intake fair, voiding qs, bm x1, amb c assist x1",
    "BUN/Cr 42/2.1 -> 38/1.8 -> 22/1.1; I/O 2400/1800; net +600",
    "s1s2 rrr no mrg",
    "Sputum culture: Pseudomonas aeruginosa, S to cefepime, R to ciprofloxacin",
    "Trop 0.04, 0.12, 0.35 ng/mL",
    "Femur fracture, left.",
    "Ile 62, Leu 110, Val 200, Ile 70, Leu 121, Val 215, Ile 66, Leu 98",  # amino acids, and a Turkish "with"
    "",
    "  \n",
    "12.5",
    "K 5.1",
    "...",
]
