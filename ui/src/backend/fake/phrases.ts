// What the people of the fake talk about: an office that keeps three small computers under a desk.

export const PHRASES: readonly string[] = [
  "Morning!",
  "The build is green again.",
  "Can you look at the export before lunch? The totals in the last column seem off by one day.",
  "Sure, give me ten minutes.",
  "I moved the spare machine to the lab, so n3 has a new address. Nothing noticed, as far as I can see.",
  "👍",
  "Thanks a lot!",
  "Who has the key to the small meeting room?",
  "I do. It is on my desk, next to the plant that nobody waters.",
  "The printer on the second floor is out of toner again.",
  "Here is what I would say to them:\n\n1. the numbers are from October,\n2. the trend is what matters,\n3. we will measure again next week.",
  "Agreed.",
  "https://example.org/handbook/on-call?week=47#who-is-next is the page I meant.",
  "Lunch at 12:30?",
  "Make it a quarter to one, I have a call until then.",
  "The power was gone for a minute in the east wing. All three nodes came back, nothing was lost.",
  "Do you still need the big screen in the afternoon, or can I take it to the workshop?",
  "Take it.",
  "let total = rows.iter().map(|row| row.hours).sum::<u64>();",
  "I have put the minutes into the shared folder, please read the second point before you answer her.",
  "Done ✅",
  "No idea, ask Carol. She set it up before the summer.",
  "It was the cable. It is always the cable.",
  "Could you review my change when you are back? It is small, but I would like a second pair of eyes on the ordering.",
  "Looks good to me, one question about the second test.",
  "We are out of coffee. This is not a drill.",
  "I am on the train now and read along until the tunnel.",
  "See you tomorrow.",
];

export const ARABIC_PHRASES: readonly string[] = [
  "صباح الخير!",
  "هل يمكنك مراجعة التقرير قبل الاجتماع؟",
  "نعم، سأرسله خلال عشر دقائق.",
  "شكرا جزيلا 🙏",
  "الاجتماع في الغرفة 204 الساعة 14:30.",
  "The new version is called FIVE9s — الإصدار الجديد جاهز.",
];

export const LONG_PHRASES: readonly string[] = [
  "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
  "/srv/data/2026/11/22/measurements/raw/very-long-folder-name-without-any-space/and-another-one/result.csv",
  "🚢🚢🚢",
  "First line\n\tsecond line, indented\n\nfourth line after an empty one",
  "Is it \"<b>bold</b>\" or &lt;b&gt;? Text is text.",
  "https://example.org/a/very/long/address/that/has/to/break/somewhere/because/it/never/ends?with=parameters&and=more&and=still-more",
];
