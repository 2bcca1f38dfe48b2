// What a timeline must never do: move what is being read. Each check looks at a row, changes something, and
// measures how far the row moved in the frames that follow.

import { assert, check, eventually } from "./check.mjs";
import { composer, openConversation, settled } from "./browser.mjs";

const FRAMES = 25;

/** Starts to record where the rows are, frame by frame; the answer gives the worst drift of the row in the middle. */
async function watch(page) {
  await page.evaluate((frames) => {
    const scroller = document.querySelector(".scroller");
    const box = scroller.getBoundingClientRect();
    const rows = [...scroller.querySelectorAll("[role=listitem]")];
    const middle = rows.find((row) => row.getBoundingClientRect().bottom > box.top + box.height / 2);
    const key = middle.dataset.key;
    const text = () => scroller.querySelector(`[data-key="${key}"] .text`)?.getBoundingClientRect();
    const start = text().top;
    window.drift = new Promise((resolve) => {
      let worst = 0;
      let left = frames;
      const frame = () => {
        worst = Math.max(worst, Math.abs((text()?.top ?? Infinity) - start));
        left -= 1;
        if (left > 0) requestAnimationFrame(frame);
        else resolve(worst);
      };
      requestAnimationFrame(frame);
    });
  }, FRAMES);
  return () => page.evaluate(() => window.drift);
}

/** Pixels between the end of the timeline and the end of what is in view. */
function distanceFromEnd(page) {
  return page.evaluate(() => {
    const scroller = document.querySelector(".scroller");
    return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
  });
}

async function lastText(page) {
  return page.locator("main [role=listitem] .text").last().textContent();
}

async function worstDistanceFromEnd(page, change) {
  await page.evaluate((frames) => {
    const scroller = document.querySelector(".scroller");
    window.distance = new Promise((resolve) => {
      let worst = 0;
      let left = frames;
      const frame = () => {
        worst = Math.max(worst, Math.abs(scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop));
        left -= 1;
        if (left > 0) requestAnimationFrame(frame);
        else resolve(worst);
      };
      requestAnimationFrame(frame);
    });
  }, FRAMES);
  await change();
  return page.evaluate(() => window.distance);
}

async function reading(context, name = "carol") {
  const page = await context.page();
  await openConversation(page, name);
  await eventually(async () => (await distanceFromEnd(page)) < 1, "begins at the end");
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -1500);
  await eventually(async () => (await distanceFromEnd(page)) > 1000, "scrolled back");
  // Rows that were met on the way are measured by now.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)));
  await settled(page);
  return page;
}

check("timeline: begins at the end", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await eventually(async () => (await distanceFromEnd(page)) < 1, "the end is in view");
});

check("timeline: a short conversation stands at the bottom", async (context) => {
  const page = await context.page();
  await openConversation(page, "erin");
  await page.setViewportSize({ width: 1280, height: 1400 });
  await settled(page);
  const gap = await page.evaluate(() => {
    const rows = [...document.querySelectorAll("main [role=listitem]")];
    return document.querySelector(".scroller").getBoundingClientRect().bottom - rows.at(-1).getBoundingClientRect().bottom;
  });
  assert.ok(gap < 30, `${gap} px below the last message`);
});

for (const [count, name] of [[1, "one message"], [50, "fifty messages"]]) {
  check(`timeline: follows ${name} at the end`, async (context) => {
    const page = await context.page();
    await openConversation(page, "bob");
    await eventually(async () => (await distanceFromEnd(page)) < 1, "begins at the end");
    await page.evaluate((n) => window.five9s.receive("bob", ...Array.from({ length: n }, (_, index) => `new ${index + 1}`)), count);
    await eventually(async () => (await lastText(page)) === `new ${count}` && (await distanceFromEnd(page)) < 1, "follows");
  });
}

check("timeline: a message that is sent stays at the end through all of its states", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await eventually(async () => (await distanceFromEnd(page)) < 1, "begins at the end");
  const worst = await worstDistanceFromEnd(page, async () => {
    await composer(page).fill("One\nTwo\nThree");
    await composer(page).press("Enter");
  });
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  assert.ok((await distanceFromEnd(page)) < 1);
  // The composer grows and shrinks by two lines meanwhile; a frame may be drawn between that and its answer.
  assert.ok(worst < 80, `${worst} px from the end`);
});

check("timeline: stays at the end when the window is narrowed and widened", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await eventually(async () => (await distanceFromEnd(page)) < 1, "begins at the end");
  for (const width of [900, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await eventually(async () => (await distanceFromEnd(page)) < 1, `at the end at ${width} px`);
  }
});

check("timeline: stays at the end when everything is made larger and smaller", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await eventually(async () => (await distanceFromEnd(page)) < 1, "begins at the end");
  for (const key of ["Control+=", "Control+=", "Control+=", "Control+-", "Control+0"]) {
    await page.keyboard.press(key);
    await eventually(async () => (await distanceFromEnd(page)) < 1, `at the end after ${key}`);
  }
});

check("timeline: stays at the end when the composer grows", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await eventually(async () => (await distanceFromEnd(page)) < 1, "begins at the end");
  await composer(page).fill("1\n2\n3\n4\n5\n6");
  await eventually(async () => (await distanceFromEnd(page)) < 1, "at the end");
});

check("timeline: does not move while messages come in below", async (context) => {
  const page = await reading(context);
  const drift = await watch(page);
  await page.evaluate(() => window.five9s.receive("carol", ...Array.from({ length: 20 }, (_, index) => `new ${index}`)));
  assert.ok((await drift()) < 1, `moved by ${await drift()} px`);
  await page.getByRole("button", { name: "20 new messages" }).click();
  await eventually(async () => (await distanceFromEnd(page)) < 1, "the pill leads to the end");
});

check("timeline: does not move while older messages are loaded above", async (context) => {
  const page = await reading(context);
  const asked = () => page.evaluate(() => window.five9s.calls.filter((call) => call.name === "messages").length);
  const before = await asked();
  // Slow enough that the page comes when the wheel has come to rest.
  await page.evaluate(() => window.five9s.slow(1000));
  await page.evaluate(() => (document.querySelector(".scroller").scrollTop = 900));
  await eventually(async () => (await asked()) > before, "older messages are asked for");
  await settled(page);
  const height = () => page.evaluate(() => document.querySelector(".scroller").scrollHeight);
  const old = await height();
  const drift = await watch(page);
  await eventually(async () => (await height()) > old, "older messages came");
  assert.ok((await drift()) < 1, `moved by ${await drift()} px`);
});

check("timeline: does not move when messages come above and below in the same moment", async (context) => {
  const page = await reading(context);
  await page.evaluate(() => window.five9s.slow(1000));
  await page.evaluate(() => (document.querySelector(".scroller").scrollTop = 900));
  await settled(page);
  const drift = await watch(page);
  await page.evaluate(() => new Promise((resolve) => {
    const answer = setInterval(() => {
      window.five9s.receive("carol", "and one more");
      if (document.querySelector(".scroller").scrollTop > 900) resolve(clearInterval(answer));
    }, 10);
  }));
  assert.ok((await drift()) < 1, `moved by ${await drift()} px`);
});

check("timeline: does not move when a row above goes, or changes its height", async (context) => {
  const page = await context.page();
  await page.evaluate(() => window.five9s.refuseNext({ code: "account_deleted", message: "" }));
  await openConversation(page, "bob");
  await composer(page).fill("refused");
  await composer(page).press("Enter");
  await page.getByRole("button", { name: "Discard" }).waitFor();
  // Something to read below it: the row that goes is the last one, so what is read is above, and it shrinks below.
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -300);
  await settled(page);
  const drift = await watch(page);
  await page.getByRole("button", { name: "Discard" }).evaluate((button) => button.click());
  assert.ok((await drift()) < 1, `moved by ${await drift()} px`);
});

check("timeline: jumps to a message that is far away, marks it, and loads on from there", async (context) => {
  const page = await context.page();
  await openConversation(page, "carol");
  await page.keyboard.press("Control+f");
  await page.getByRole("searchbox").fill("coffee drill");
  await page.locator(".hits button").last().waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  await eventually(async () => (await page.locator(".hits li").count()) === 80, "more hits");
  await page.locator(".hits li button").nth(79).click();
  const target = page.locator("main .message.target");
  await target.waitFor();
  await eventually(async () => {
    const box = await target.boundingBox();
    return box !== null && box.y > 200 && box.y < 600;
  }, "the message is in the middle");
  assert.equal(await page.getByRole("button", { name: "To the latest message" }).count(), 1);
  // On to newer ones, by scrolling alone.
  await page.locator(".scroller").hover();
  const posinset = () => page.evaluate(() => document.querySelector(".scroller").scrollHeight);
  const before = await posinset();
  for (let turn = 0; turn < 30 && (await posinset()) === before; turn++) {
    await page.mouse.wheel(0, 3000);
    await settled(page);
  }
  assert.ok((await posinset()) > before, "newer messages were loaded");
  await page.getByRole("button", { name: "To the latest message" }).click();
  await eventually(async () => (await distanceFromEnd(page)) < 1 && (await page.locator(".pill").count()) === 0, "the latest message");
});

check("timeline: opens at the first unread message, and the mark stays until Escape", async (context) => {
  const page = await context.page();
  await page.evaluate(() => window.five9s.receive("frank", ...Array.from({ length: 60 }, (_, index) => `line ${index + 1}`)));
  await openConversation(page, "frank");
  await page.locator("[data-unread]").waitFor();
  await eventually(async () => {
    const box = await page.locator("[data-unread]").boundingBox();
    return box !== null && box.y < 400;
  }, "the mark is in view, near the top");
  await page.keyboard.press("Escape");
  await eventually(async () => (await page.locator("[data-unread]").count()) === 0 && (await distanceFromEnd(page)) < 1, "the mark is gone, the end in view");
});

check("timeline: jumps to a message of another conversation", async (context) => {
  const page = await context.page();
  await openConversation(page, "carol");
  await page.keyboard.press("Control+Shift+f");
  await page.getByRole("searchbox").fill("coffee");
  await page.locator(".hits button", { hasText: "with bob" }).nth(2).click();
  await page.getByRole("heading", { level: 1, name: "bob", exact: true }).waitFor();
  await eventually(async () => {
    const box = await page.locator("main .message.target").boundingBox({ timeout: 100 }).catch(() => null);
    return box !== null && box.y > 60 && box.y < 700;
  }, "the message is in view, and stays");
});

check("timeline: where the panel covers the conversation, a hit uncovers it", async (context) => {
  const page = await context.page({ viewport: { width: 900, height: 640 } });
  await openConversation(page, "carol");
  for (const hit of [3, 3, 1]) {
    await page.keyboard.press("Control+f");
    await page.getByRole("searchbox").fill("coffee");
    await page.locator(".hits button").nth(hit).click();
    await page.locator("main .message.target").waitFor();
    await eventually(() => page.evaluate(() => document.activeElement?.closest("main textarea") !== null), "the composer has the focus");
  }
  await page.keyboard.press("Control+f");
  await page.getByRole("searchbox").waitFor();
  await openConversation(page, "bob");
  assert.equal(await page.getByRole("searchbox").count(), 0);
});

check("timeline: what comes under a panel is unread until that is gone", async (context) => {
  const page = await context.page({ viewport: { width: 900, height: 640 } });
  await openConversation(page, "frank");
  await page.keyboard.press("Control+f");
  await page.getByRole("searchbox").waitFor();
  await page.evaluate(() => window.five9s.receive("frank", "under the panel"));
  const unread = page.locator(".sidebar li", { hasText: "frank" }).getByText("1 unread message");
  await unread.waitFor({ state: "attached" });
  // Longer than it takes for a message in view to count as read.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1000)));
  assert.equal(await unread.count(), 1);
  // What is not before anybody's eyes is notified of.
  const viewed = () => page.evaluate(() => window.five9s.calls.findLast((call) => call.name === "view").request.conversation);
  await eventually(async () => (await viewed()) === null, "the conversation is not in view");
  await page.keyboard.press("Escape");
  await unread.waitFor({ state: "detached" });
  await eventually(async () => (await viewed()) !== null, "the conversation is in view");
  await page.keyboard.press("Control+f");
  await eventually(async () => (await viewed()) === null, "the conversation is covered again");
  await page.setViewportSize({ width: 1400, height: 640 });
  await eventually(async () => (await viewed()) !== null, "there is room for both");
});
