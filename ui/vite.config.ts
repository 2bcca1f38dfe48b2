import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/**
 * The back end is chosen when the page is built, not when it runs: what goes into the package has neither
 * the fake nor the WebSocket in it, and its content security policy can stay without them.
 */
const hosts: Record<string, { file: string; folder: string }> = {
  production: { file: "./src/backend/tauri.ts", folder: "dist" },
  web: { file: "./src/backend/websocket.ts", folder: "dist-web" },
  fake: { file: "./src/backend/fake/open.ts", folder: "dist-fake" },
};

export default defineConfig(({ mode }) => {
  const host = hosts[mode] ?? hosts.fake!;
  return {
    plugins: [svelte()],
    resolve: {
      alias: { "#host": fileURLToPath(new URL(host.file, import.meta.url)) },
      // Without this vitest takes Svelte's server build, which cannot mount.
      ...(process.env.VITEST ? { conditions: ["browser"] } : {}),
    },
    build: {
      outDir: host.folder,
      emptyOutDir: true,
      target: "es2022",
      // A data: font would need a hole in the content security policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 700,
    },
    server: { port: 5173, strictPort: true },
    test: {
      environment: "happy-dom",
      include: ["src/**/*.test.ts"],
      restoreMocks: true,
    },
  };
});
